"""Groups and the epochs of their keys: frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """One key of a group, and who had it.

    Attributes:
        group: the group's name.
        number: grows with each epoch.
        members: their Ed25519 public keys.
        key: 32 bytes of chance; never shown.
    """

    group: str
    number: int
    members: frozenset[bytes]
    key: bytes = field(repr=False)


class Why(Enum):
    """Why something changes nothing."""

    OTHER_GROUP = "of another group"
    TOO_MANY = "too many members"
    NOT_A_MEMBER = "not a member"
    OLD = "older than what is known"
    ANOTHER_KEY = "another key for the same epoch"


# -- events ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Members:
    """To the keeper: who is in the group now."""

    keys: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Asked:
    """To the keeper: a member asks for the key of this moment."""

    member: bytes


@dataclass(frozen=True, slots=True)
class Learned:
    """To a member: an epoch that the keeper has handed it."""

    epoch: Epoch


@dataclass(frozen=True, slots=True)
class LeftOut:
    """To a member: an epoch has begun without it."""

    number: int


@dataclass(frozen=True, slots=True)
class Tick:
    """To a member: time has passed."""


# -- effects -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hand:
    """The key is to be sealed to these and sent."""

    epoch: Epoch
    to: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Refusal:
    """What came changes nothing."""

    why: Why
    text: str


Effect = Hand | Refusal
