"""How much one sender may ask of a node: token buckets, and who is told when it asks for more. Pure.

A bucket is one sender's at one behavior. It holds `Rate.burst` messages at most and gains `Rate.per_s` a second; what
comes when it is empty is refused before it waits anywhere. Looking costs a lookup and a few floats a frame, nothing
where no rate is set. Reference: the token bucket of RFC 2697, section 3, with one colour.

Invariants: of one sender, in any span of t seconds, `burst + per_s * t` messages pass at most, while it is among the
`Limits.senders` that were heard last; nothing that one sender does takes from another's bucket.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from math import inf
from typing import Protocol, runtime_checkable

from .errors import ConfigurationError

Principal = Hashable
"""Who sends: the public key that signed, as bytes; where frames are not signed, the name that they claim, as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What one sender may send to one behavior.

    Attributes:
        per_s: messages a second in the long run.
        burst: messages at once. The others wait for them: of work that takes s seconds, `burst * s` at most.
    """

    per_s: float
    burst: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.per_s < float("inf"):
            raise ConfigurationError(f"Rate: per_s={self.per_s!r}: use a number above 0")
        if self.burst < 1:
            raise ConfigurationError(f"Rate: burst={self.burst!r}: use at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a node lets one sender have of each live behavior of its agents. Durable events need none: they are
    fetched, not sent.

    Attributes:
        per_sender: its rate, where the behavior does not say another (``@rpc(..., rate=...)``); None: any.
        fair: whether those who wait in a mailbox take turns, so that one that sends much waits for itself only, and
            loses its own messages when the mailbox is full.
        senders: buckets a behavior; that of the sender that was heard longest ago is given up for a new one.
    """

    per_sender: Rate | None = None
    fair: bool = True
    senders: int = 4096

    def __post_init__(self) -> None:
        if self.senders < 1:
            raise ConfigurationError(f"Limits: senders={self.senders!r}: use at least 1")


@runtime_checkable
class Watcher(Protocol):
    """Who is told of what senders do, and says whom to hear no more. An agent that is one watches over the node that
    hosts it. Called from the event loop, often: must be quick, and must not raise."""

    def ignores(self, sender: Principal) -> bool:
        """Whether what names this sender is to be dropped unread."""
        ...

    def saw(self, sender: Principal, deed: str, count: float = 1.0) -> None:
        """A sender has done something, `count` times: one of the words below, or another's. A name of text is an
        agent's, and as sure as whoever said it."""
        ...


FLOOD = "flood"
"""More messages than a behavior lets a sender have; counted in seconds' worth: messages too many / `Rate.per_s`."""
INVALID = "invalid"
"""Signed by the sender, and yet not to be accepted: in another's name, or no frame inside."""
FORGED = "forged"
"""In the sender's name, and not signed by it: somebody has forged it, who is not known."""
KEPT = "kept"
"""A promise kept: an award taken, and done."""
BROKEN = "broken"
"""A promise not kept: an award taken and not done, an answer that was not what was owed."""


TELL_S = 0.1
"""Seconds between two times that a sender's refusals are told: they are counted at once."""


class Bucket:
    """One sender's messages at one behavior, and the refusals that it is still told of.

    Refusals are answered at the same rate as messages are taken: answering a flood in full would cost as much as
    handling it.
    """

    __slots__ = ("_answers", "_at", "_tokens", "_told_at", "_untold", "rate")

    def __init__(self, rate: Rate, now: float) -> None:
        self.rate = rate
        self._tokens = self._answers = float(rate.burst)
        self._at = now
        self._untold = 0
        self._told_at = -inf

    def take(self, count: int, now: float) -> int:
        """How many of `count` messages pass."""
        rate = self.rate
        gained = (now - self._at) * rate.per_s
        self._at = now
        self._answers = min(rate.burst, self._answers + gained)
        tokens = min(rate.burst, self._tokens + gained)
        passed = min(count, int(tokens + 1e-9))
        self._tokens = max(0.0, tokens - passed)
        return passed

    def answers(self, count: int) -> int:
        """How many of `count` refusals are answered."""
        answered = min(count, int(self._answers + 1e-9))
        self._answers -= answered
        return answered

    def tell(self, count: int) -> int:
        """How many refusals, these `count` among them, are to be told now: all since the last time, or 0 when that was
        less than `TELL_S` ago."""
        self._untold += count
        if self._at - self._told_at < TELL_S:
            return 0
        told, self._untold, self._told_at = self._untold, 0, self._at
        return told

    def retry_s(self) -> float:
        """Seconds until a message passes, as of the last `take`."""
        return max(0.0, (1.0 - self._tokens) / self.rate.per_s)


class Buckets:
    """The buckets of one behavior.

    Args:
        rate: each sender's.
        senders: how many are remembered.
    """

    __slots__ = ("_buckets", "_rate", "_senders")

    def __init__(self, rate: Rate, senders: int) -> None:
        self._rate = rate
        self._senders = senders
        self._buckets: OrderedDict[Principal, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def of(self, sender: Principal, now: float) -> Bucket:
        """The sender's bucket; a full one for who is new, or was forgotten."""
        bucket = self._buckets.get(sender)
        if bucket is not None:
            self._buckets.move_to_end(sender)
            return bucket
        if len(self._buckets) >= self._senders:
            self._buckets.popitem(last=False)
        bucket = self._buckets[sender] = Bucket(self._rate, now)
        return bucket
