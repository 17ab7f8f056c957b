"""Pings made in the place of others, and what they are told."""

from __future__ import annotations

from collections import deque
from math import inf

from .beliefs import Beliefs
from .config import MembershipConfig
from .model import PacketKind
from .probing import Probing

MAX_RELAYS = 1_024
"""Pings under way in others' place, at most; further requests are not heard."""


class Relays:
    """The pings that this node makes for others.

    Args:
        beliefs, probing: of the node.
        config: the knobs.
    """

    def __init__(self, beliefs: Beliefs, probing: Probing, config: MembershipConfig) -> None:
        self._beliefs = beliefs
        self._probing = probing
        self._config = config
        self._waiting: dict[int, tuple[str, int, str]] = {}  # by our number: the asker, its number, the target
        self._nacks: deque[tuple[float, int]] = deque()
        self._ends: deque[tuple[float, int]] = deque()

    @property
    def at(self) -> float:
        """When the next step is due, or infinity."""
        if self._nacks:
            return self._nacks[0][0]
        return self._ends[0][0] if self._ends else inf

    def clear(self) -> None:
        """Forgets them all."""
        self._waiting.clear()
        self._nacks.clear()
        self._ends.clear()

    def ask(self, source: str, sequence: int, target: str, now: float) -> None:
        """Somebody had no answer from the target: pings it in its place."""
        member = self._beliefs.members.by_name.get(target)
        if member is None or len(self._waiting) >= MAX_RELAYS:
            return
        number = self._probing.next_sequence()
        self._waiting[number] = (source, sequence, target)
        config = self._config
        if config.nacks:
            self._nacks.append((now + config.nack_share * (config.period_s - config.timeout_s), number))
        self._ends.append((now + 2.0 * config.period_s, number))
        self._probing.ping(member, number)

    def hear_ack(self, source: str, sequence: int) -> None:
        """The target has answered: its asker is told."""
        waiting = self._waiting.get(sequence)
        if waiting is not None and waiting[2] == source:
            del self._waiting[sequence]
            self._beliefs.send(waiting[0], PacketKind.ACK, waiting[1], source, self._beliefs.take_news())

    def step(self, now: float) -> None:
        """Tells askers that there was no answer yet; forgets what has waited too long."""
        while self._nacks and self._nacks[0][0] <= now:
            waiting = self._waiting.get(self._nacks.popleft()[1])
            if waiting is not None:
                asker, sequence, target = waiting
                self._beliefs.send(asker, PacketKind.NACK, sequence, target)
        while self._ends and self._ends[0][0] <= now:
            self._waiting.pop(self._ends.popleft()[1], None)
