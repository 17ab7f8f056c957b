"""What scores are told and tell: frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from ...limits import BROKEN, FLOOD, FORGED, INVALID, KEPT

KINDS: tuple[str, ...] = (KEPT, BROKEN, INVALID, FLOOD, FORGED)
"""What is counted of a key."""


class Level(IntEnum):
    """How far a key is heard."""

    GRAYLISTED = 0
    """Nothing of it is read."""
    IDLE = 1
    """It is given no work, and not believed."""
    UNBELIEVED = 2
    """What it tells of others is not taken."""
    FULL = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Did:
    """Event: a key has done something.

    Attributes:
        key: its public key, 32 bytes.
        kind: one of `KINDS`.
        count: how many times.
        topic: where; one of the config's, or any other.
    """

    key: bytes
    kind: str
    count: float = 1.0
    topic: str = ""


class Introduced(NamedTuple):
    """Event: a key is enrolled, and who stood up for it; empty: nobody that is known."""

    key: bytes
    sponsor: bytes = b""


class Departed(NamedTuple):
    """Event: a key is enrolled no more. What it has done is still remembered, for as long as it counts."""

    key: bytes


Event = Did | Introduced | Departed


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Effect: a key is heard less, or more, than before.

    Attributes:
        key: its public key.
        level: from now on.
        before: until now.
        score: its score.
        why: what counts most against it, for people.
    """

    key: bytes
    level: Level
    before: Level
    score: float
    why: str
