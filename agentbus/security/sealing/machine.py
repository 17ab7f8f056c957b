"""Which key a group has: the keeper's side, `GroupKeys`, and a member's, `KeyRing`. Pure.

Invariants: a group's key is new whenever its membership is, and is handed to those who are in it then and to nobody
else; epochs only grow, at the keeper and at each member; a key that was replaced is forgotten after `keep_s`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from .config import GroupConfig
from .model import Asked, Effect, Epoch, Hand, Learned, LeftOut, Members, Refusal, Tick, Why


class GroupKeys:
    """The keys of one group, as its keeper has them.

    Args:
        group: its name.
        first: the number of the first epoch: above all that a former life has given, as microseconds since 1970 are.
        new_key: gives 32 bytes of chance that nobody can guess.
        config: the knobs.
    """

    def __init__(
        self, group: str, *, first: int, new_key: Callable[[], bytes], config: GroupConfig | None = None
    ) -> None:
        self.group = group
        self.epoch: Epoch | None = None
        self._next = first
        self._new_key = new_key
        self._config = config or GroupConfig()

    def handle(self, event: Members | Asked, now: float) -> list[Effect]:
        """What is to be handed to whom. A membership that has not changed hands nothing."""
        if isinstance(event, Members):
            return self._members(event.keys)
        if self.epoch is None or event.member not in self.epoch.members:
            return [Refusal(Why.NOT_A_MEMBER, f"{event.member.hex()} is not in group {self.group!r}")]
        return [Hand(self.epoch, frozenset({event.member}))]

    def _members(self, keys: frozenset[bytes]) -> list[Effect]:
        if self.epoch is not None and keys == self.epoch.members:
            return []
        if len(keys) > self._config.members:
            text = f"group {self.group!r} may have {self._config.members} members, not {len(keys)}"
            return [Refusal(Why.TOO_MANY, text)]
        self.epoch = Epoch(group=self.group, number=self._next, members=keys, key=self._new_key())
        self._next += 1
        return [Hand(self.epoch, keys)]


class KeyRing:
    """The keys of one group, as a member knows them.

    Args:
        group: its name.
        config: the knobs.
    """

    def __init__(self, group: str, config: GroupConfig | None = None) -> None:
        self.group = group
        self.out = False
        """Whether an epoch is known to have begun without this member."""
        self.begun = False
        """Whether any epoch is known: from then on older ones are refused."""
        self._config = config or GroupConfig()
        self._newest = -1
        self._current: Epoch | None = None
        self._replaced: OrderedDict[int, tuple[float, Epoch]] = OrderedDict()  # with when it is forgotten

    @property
    def current(self) -> Epoch | None:
        """What to seal with; None while this is no member, as far as it knows."""
        return self._current

    def get(self, number: int, now: float) -> Epoch | None:
        """An epoch that still opens what was sealed in it."""
        self._forget(now)
        if self._current is not None and self._current.number == number:
            return self._current
        known = self._replaced.get(number)
        return known[1] if known is not None else None

    def next_deadline(self) -> float | None:
        """When the next replaced key is to be forgotten."""
        return next((until_s for until_s, _ in self._replaced.values()), None)

    def handle(self, event: Learned | LeftOut | Tick, now: float) -> list[Refusal]:
        """Takes in what the keeper says, whose word it has been proven to be."""
        self._forget(now)
        if isinstance(event, Learned):
            return self._learned(event.epoch, now)
        if isinstance(event, LeftOut) and event.number > self._newest:
            self._replace(now)
            self._newest, self._current, self.out, self.begun = event.number, None, True, True
        return []

    def _learned(self, epoch: Epoch, now: float) -> list[Refusal]:
        if epoch.group != self.group:
            return [Refusal(Why.OTHER_GROUP, f"a key of group {epoch.group!r}, not of {self.group!r}")]
        if self._current is not None and epoch.number == self._current.number:
            if epoch == self._current:
                return []  # told again
            return [Refusal(Why.ANOTHER_KEY, f"epoch {epoch.number} of group {self.group!r} has another key already")]
        if epoch.number <= self._newest:
            return [Refusal(Why.OLD, f"epoch {epoch.number} of group {self.group!r} is over: {self._newest} has begun")]
        self._replace(now)
        self._newest, self._current, self.out, self.begun = epoch.number, epoch, False, True
        return []

    def _replace(self, now: float) -> None:
        if self._current is not None:
            self._replaced[self._current.number] = (now + self._config.keep_s, self._current)
            if len(self._replaced) > self._config.kept:
                self._replaced.popitem(last=False)

    def _forget(self, now: float) -> None:
        while self._replaced and next(iter(self._replaced.values()))[0] <= now:
            self._replaced.popitem(last=False)
