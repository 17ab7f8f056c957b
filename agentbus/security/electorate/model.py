"""Who is enrolled and who votes: frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

VOTERS = ("agent",)
"""The roles whose identities have a vote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One enrolled identity.

    Attributes:
        key: its Ed25519 public key, 32 bytes.
        node: its node's name.
        sponsor: the key of who stood up for it; empty: nobody.
        votes: whether it has its one vote.
    """

    key: bytes
    node: str
    sponsor: bytes = b""
    votes: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One enrolled identity, as its enroller keeps it.

    Attributes:
        key: its Ed25519 public key, 32 bytes.
        node: its node's name.
        role: as what it is enrolled.
        issued_s, until_s: from when, and until when its enrolment is valid, seconds since 1970.
        sponsor: the key of who stood up for it; empty: nobody.
        votes_from_s: when it gets its vote, seconds since 1970; None: never.
    """

    key: bytes
    node: str
    role: str = ""
    issued_s: float = 0.0
    until_s: float = inf
    sponsor: bytes = b""
    votes_from_s: float | None = None

    def votes(self, now_s: float) -> bool:
        """Whether it has its vote then."""
        return self.votes_from_s is not None and self.votes_from_s <= now_s

    def seat(self, now_s: float) -> Seat:
        """Its seat in a set of that moment."""
        return Seat(key=self.key, node=self.node, sponsor=self.sponsor, votes=self.votes(now_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochSet:
    """Who is enrolled in a realm from one epoch to the next.

    Attributes:
        realm: its name.
        number: from 1; a later set has a higher one.
        issued_s: seconds since 1970, by the enroller's clock.
        issuer: the public key that signs the realm's sets, 32 bytes.
        previous: the SHA-256 of the signed set before it; empty for the first.
        seats: ordered by key; no key and no node twice.
    """

    realm: str
    number: int
    issued_s: int
    issuer: bytes
    previous: bytes = b""
    seats: tuple[Seat, ...] = ()
