"""Enrolments, signed and verified.

A signed enrolment is 64 bytes of signature, then the enrolment. Who receives one believes it when the issuer is one
that its realm knows for that role, and the time is within its validity.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import Unauthorized
from .codec import decode_enrolment, encode_enrolment
from .keys import SIGNATURE_BYTES, KeyPair, public_nkey, verified
from .model import Enrolment

DOMAIN = b"agentbus enrolment v1\0"
SKEW_S = 60
"""By how much the issuer's clock may be ahead of a receiver's."""

Issuers = Mapping[bytes, str]
"""The realm's issuers: public key, 32 bytes, to the role that it issues."""


FormerIssuers = Mapping[bytes, tuple[str, int]]
"""Issuers that were replaced: public key to the role, and the time (seconds since 1970) up to which durable frames were
signed under what it has issued."""


def signed_enrolment(enrolment: Enrolment, issuer: KeyPair) -> bytes:
    """The signed enrolment. Raises `Unauthorized` when the issuer is not the one that it names."""
    if issuer.key != enrolment.issuer:
        raise Unauthorized(f"{issuer.public} can't sign what {public_nkey(enrolment.issuer)} issues")
    body = encode_enrolment(enrolment)
    return issuer.sign(DOMAIN + body) + body


def verified_enrolment(signed: bytes, issuers: Issuers, realm: str, now_s: float) -> Enrolment:
    """The enrolment, if it holds now. Raises `Unauthorized`, which says why it does not.

    Args:
        signed: as `signed_enrolment` gives it.
        issuers: whom the realm knows.
        realm: the receiver's.
        now_s: seconds since 1970.
    """
    body = signed[SIGNATURE_BYTES:]
    enrolment = decode_enrolment(body)
    if issuers.get(enrolment.issuer) != enrolment.role:
        raise Unauthorized(f"node {enrolment.node!r}: its enrolment is not by the issuer of role {enrolment.role!r}")
    if not verified(enrolment.issuer, DOMAIN + body, signed[:SIGNATURE_BYTES]):
        raise Unauthorized(f"node {enrolment.node!r}: its enrolment has been altered")
    if enrolment.realm != realm:
        raise Unauthorized(f"node {enrolment.node!r} is enrolled in realm {enrolment.realm!r}, not in {realm!r}")
    if not enrolment.issued_s - SKEW_S <= now_s < enrolment.expires_s:
        raise Unauthorized(f"node {enrolment.node!r}: its enrolment has expired, or is not valid yet: let it renew it")
    return enrolment
