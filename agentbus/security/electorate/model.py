"""Who is enrolled and who votes: frozen values."""

from __future__ import annotations

from dataclasses import dataclass


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
