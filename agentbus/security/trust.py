"""Whom a member believes at the other end of a connection: the realm's own certificate authority, by TLS 1.3."""

from __future__ import annotations

import ssl

from ..errors import ConfigurationError
from .credentials import RealmFile


def trusting(realm: RealmFile) -> ssl.SSLContext:
    """Trusts the realm's authority only, or the system's where the realm has none. Raises `ConfigurationError`."""
    try:
        context = ssl.create_default_context(cadata=realm.ca or None)
    except ssl.SSLError:
        raise ConfigurationError("the realm's certificate authority is no certificate: PEM is expected") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context
