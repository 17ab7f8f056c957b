"""What a streaming detector is: it scores a value, then learns it, and can be carried to another process as bytes.

Invariants of every detector of this room:

* its state is a function of how it was made (its seed among that) and of the records it was given, in their order: no
  clock, no global randomness, nothing from elsewhere;
* a score depends on that state and on the record alone, is never NaN, and lies between 0 (as expected) and 1;
* ``restore(snapshot())`` in another process gives the same scores from there on, bit for bit, and equal states give
  equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from agentbus.errors import AgentBusError, ConfigurationError

Value = float | Sequence[float] | Mapping[str, float]
"""One record: a number, or several, by place or by name. NaN says that there is none. The records of one stream have
all the same places, or names."""


class UnknownDetector(ConfigurationError, LookupError):
    """No detector of that name."""


class ExtraMissing(ConfigurationError, ImportError):
    """A detector needs a package that is not installed. The text names the extra that brings it."""


class BadRecord(AgentBusError, ValueError):
    """A record of another shape than the detector takes, or than the records before."""


class SnapshotInvalid(AgentBusError, ValueError):
    """Bytes that are not a whole snapshot of this detector: cut off, damaged, another detector's or another version's.
    The detector is as it was. The remedy: an earlier snapshot, or a new detector and the records from the start."""


@runtime_checkable
class Detector(Protocol):
    """Scores the records of one stream, one after the other."""

    def score(self, timestamp_s: float, value: Value, /) -> float:
        """How abnormal the record is given those before it, from 0 to 1; then learns it.

        Args:
            timestamp_s: when it was, in seconds of any epoch. Times may repeat and go backwards.
            value: what was seen.

        Raises:
            BadRecord: the record has another shape than this detector takes.
        """
        ...

    def snapshot(self) -> bytes:
        """All that was learned."""
        ...

    def restore(self, snapshot: bytes, /) -> None:
        """Becomes the detector whose snapshot this is.

        Raises:
            SnapshotInvalid: it can't; nothing has changed.
        """
        ...


def number(value: Value) -> float:
    """The one number of a record of one. Raises `BadRecord` for a record of several."""
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, Sequence):
        if len(value) != 1:
            raise BadRecord(
                f"this detector scores one number a record, and was given {len(value)}: "
                "use half-space-trees, or one detector for each of them (`EachValue`)"
            )
        value = value[0]
    return float(value)
