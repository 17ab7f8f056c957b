"""The knobs, and what comes of them."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isfinite, log10

from ..errors import ConfigurationError

MAX_NAME_BYTES = 256
"""Bytes of a key, of a counter's name, of an actor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlackboardConfig:
    """All knobs. `local`, `lan` and `wan` differ in the period, and in how long deletions are remembered.

    Attributes:
        period_s: seconds between two rounds of a node. In each it tells its news to `fanout` random others, and
            compares roots with one of them.
        fanout: how many hear news in a round.
        retransmit: news is told in ``retransmit * ceil(log10(n + 1))`` rounds by each node that hears it, less one for
            each time that it is heard again. What that misses is found by comparing.
        forget_s: seconds for which a deletion is remembered. Whoever is away for longer, and comes back with what was
            deleted meanwhile, brings it back.
        max_ahead_s: seconds by which the stamp of another's note may be ahead of this node's clock; a note that is
            further ahead is not taken until it no longer is.
        max_entries: notes, deletions and tallies on the board; here no more can be written beyond it.
        max_bytes: of all of them, about. Of what others write, twice the entries and the bytes are taken, so that
            boards come out the same though several were filled at once.
        max_value_bytes: of one note.
        message_bytes: of one message, about.
        burst: messages that answer one other node's comparison, at most; the rest follows in later rounds.
    """

    period_s: float = 0.5
    fanout: int = 2
    retransmit: int = 2
    forget_s: float = 3600.0
    max_ahead_s: float = 60.0
    max_entries: int = 4_096
    max_bytes: int = 1 << 20
    max_value_bytes: int = 16_384
    message_bytes: int = 65_536
    burst: int = 4

    def __post_init__(self) -> None:
        for name in ("period_s", "forget_s", "max_ahead_s"):
            if not isfinite(getattr(self, name)) or getattr(self, name) <= 0:
                raise ConfigurationError(f"blackboard: {name}={getattr(self, name)!r}: write a number above 0")
        for name in ("fanout", "retransmit", "max_entries", "max_bytes", "max_value_bytes", "burst"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"blackboard: {name}={getattr(self, name)!r}: write 1 or more")
        if self.max_value_bytes + 1_024 > self.message_bytes:
            raise ConfigurationError("blackboard: max_value_bytes + 1024 <= message_bytes must hold")

    def rounds(self, nodes: int) -> int:
        """Rounds in which a node of so many tells what is new."""
        return self.retransmit * ceil(log10(nodes + 1))


def local() -> BlackboardConfig:
    """One machine: 128 nodes know what is new after about 1 s; deletions are remembered for 10 minutes."""
    return BlackboardConfig(period_s=0.2, forget_s=600.0)


def lan() -> BlackboardConfig:
    """A data centre: 128 nodes know what is new after about 3 s; deletions are remembered for an hour."""
    return BlackboardConfig()


def wan() -> BlackboardConfig:
    """Between continents: 128 nodes know what is new after about 10 s; deletions are remembered for 6 hours."""
    return BlackboardConfig(period_s=2.0, forget_s=21_600.0)
