"""Whose turn it is: what must be done once is done by one, and by the next when nothing is seen of it. Pure.

For each pair of fault and action every node computes the same order, by rendezvous hashing over the live nodes. The
first acts at once; number k waits ``k * turn_s`` for an announcement. Only those whose turn it is, or was, or is next,
can announce: a node out of turn can't keep the others from acting. A restart that was announced has to be seen: the
accused life must be over within ``restart_s``, else the next asks again.
"""

from __future__ import annotations

from dataclasses import dataclass

from .config import HealingConfig
from .model import Perform, Restart

MAX_TURNS = 1024
_Key = tuple[str, str]


@dataclass(slots=True)
class _Turn:
    perform: Perform
    order: list[str]
    due_s: float
    asked: int = 0


class Turns:
    """What waits to be done, by this node or another.

    Args:
        me: this node's name.
        config: the knobs.
    """

    def __init__(self, me: str, config: HealingConfig) -> None:
        self._me = me
        self._config = config
        self._open: dict[_Key, _Turn] = {}
        self._early: dict[_Key, tuple[str, float]] = {}

    def open(self, perform: Perform, order: list[str], now: float) -> None:
        """Something has to be done by the first of `order`, or else the next."""
        key = perform.trouble.id, perform.action.name
        if key in self._open or self._me not in order:
            return
        turn = _Turn(perform, order, now + order.index(self._me) * self._config.turn_s)
        self._open[key] = turn
        if len(self._open) > MAX_TURNS:
            del self._open[next(iter(self._open))]
        by, at = self._early.pop(key, ("", 0.0))
        if by and now - at < self._config.restart_s:
            self.announced(*key, by, now)

    def announced(self, fault: str, action: str, by: str, now: float) -> None:
        """Another node says that it has done it."""
        key = fault, action
        turn = self._open.get(key)
        if turn is None:
            self._early[key] = by, now
            if len(self._early) > MAX_TURNS:
                del self._early[next(iter(self._early))]
        elif by in turn.order and turn.order.index(by) * self._config.turn_s <= self._waited_s(turn, now):
            self._done(key, turn, now)

    def _waited_s(self, turn: _Turn, now: float) -> float:
        """Since the fault was heard, and one turn more: others may have heard it earlier."""
        return now - turn.perform.heard_s + self._config.turn_s

    def _done(self, key: _Key, turn: _Turn, now: float) -> None:
        if isinstance(turn.perform.action, Restart):
            turn.due_s = now + self._config.restart_s + turn.order.index(self._me) * self._config.turn_s
        else:
            del self._open[key]

    def due(self, now: float) -> list[Perform]:
        """What this node has to do now."""
        found: list[Perform] = []
        for key, turn in list(self._open.items()):
            if turn.due_s > now:
                continue
            if turn.asked >= self._config.attempts:
                del self._open[key]
                continue
            turn.asked += 1
            turn.due_s = now + self._config.restart_s + self._config.effect_s
            found.append(turn.perform)
        return found

    def performed(self, perform: Perform, ok: bool, now: float) -> None:
        """The effector has answered; what failed is tried again after a turn."""
        key = perform.trouble.id, perform.action.name
        turn = self._open.get(key)
        if turn is None:
            return
        if ok:
            self._done(key, turn, now)
        else:
            turn.due_s = now + self._config.turn_s

    def over(self, node: str, epoch: int) -> list[Perform]:
        """That life is over: nobody needs to restart it. Returns what this node had asked for."""
        found: list[Perform] = []
        for key, turn in list(self._open.items()):
            life = turn.perform.trouble.life
            if life.node == node and life.epoch <= epoch and isinstance(turn.perform.action, Restart):
                del self._open[key]
                if turn.asked:
                    found.append(turn.perform)
        return found

    def next_deadline(self) -> float | None:
        """When `due` has something, or None."""
        return min((turn.due_s for turn in self._open.values()), default=None)
