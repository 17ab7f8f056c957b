"""What is asked of an enroller, and what it answers: frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..admission import Voucher
from ..realm.issuing import Wanted

NONCE_BYTES = 16
NEWCOMER, RENEWAL = "newcomer", "renewal"
"""How a request comes."""


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
class Token:
    """What a one-time token admits. Attributes as those of `Wanted`; `until_s`: seconds since 1970."""

    node: str
    role: str
    names: tuple[str, ...]
    until_s: float
    jobs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proofs:
    """What a newcomer shows, each about its application.

    Attributes:
        join: that it knows the join key, by `join_proof`.
        vouchers: members' words for it; the first is its sponsor's.
        solution: of a puzzle.
        token: the public half of a one-time token, and its signature.
    """

    join: bytes = field(default=b"", repr=False)
    vouchers: tuple[Voucher, ...] = ()
    solution: bytes = field(default=b"", repr=False)
    token: tuple[bytes, bytes] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A wish as it came.

    Attributes:
        wish: read.
        body: the bytes of the wish.
        application: those of what is asked for, times and chance left aside: what proofs are about.
        signature: the wish's key's, over `codec.signed_part`.
        admission: how it comes, `NEWCOMER` or `RENEWAL`.
        proof: as it was signed: of a renewal the enrolment that is held.
        proofs: a newcomer's, read.
        former_signature: of the key that is given up, where there is one.
    """

    wish: Wish
    body: bytes = field(repr=False)
    application: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    admission: str
    proof: bytes = field(repr=False)
    proofs: Proofs = Proofs()
    former_signature: bytes = field(default=b"", repr=False)
