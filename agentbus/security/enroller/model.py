"""What is asked of an enroller, and what it answers: frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..realm.issuing import Wanted

NONCE_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A key asks.

    Attributes:
        wanted: for what.
        realm: in which.
        asked_s: when, seconds since 1970, by the asker's clock.
        valid_s: seconds that it shall be valid; 0: what the enroller gives, which is the most.
        nonce: 16 bytes of chance.
    """

    wanted: Wanted
    realm: str
    asked_s: int
    valid_s: int
    nonce: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A wish as it came.

    Attributes:
        wish: read.
        body: the bytes that were signed.
        signature: the wish's key's.
        admission: the form of admission.
        proof: what that form wants.
        former_signature: of the key that is given up, where there is one.
    """

    wish: Wish
    body: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    admission: str
    proof: bytes = field(repr=False)
    former_signature: bytes = field(default=b"", repr=False)
