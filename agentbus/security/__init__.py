"""Identities: keys, enrolments, and what follows from them.

* `KeyPair`, `Kind`: secret keys in NATS's form, which show their public half only
* `Enrolment`: who may speak as whom, in a realm, until when; `signed_enrolment`, `verified_enrolment`
* `Guard`: signs a node's frames, and lets in what is signed, in time and new; `GuardCounters`

Needs the extra ``security``: ``pip install 'agentbus-network[security]'``.
"""

from __future__ import annotations

from .enrolling import Issuers, signed_enrolment, verified_enrolment
from .guard import Guard, GuardCounters
from .keys import KeyPair, Kind, key_of, public_nkey, verified
from .model import Enrolment

__all__ = [
    "Enrolment",
    "Guard",
    "GuardCounters",
    "Issuers",
    "KeyPair",
    "Kind",
    "key_of",
    "public_nkey",
    "signed_enrolment",
    "verified",
    "verified_enrolment",
]
