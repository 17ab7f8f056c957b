"""Leases on a store that answers, answers not, or does it and does not say so; each observer has a clock of its own."""

from __future__ import annotations

from dataclasses import dataclass, field

from agentbus.storage.leases import Holder, LeaseConfig, LeaseMachine, LeaseRecord
from agentbus.storage.leases.model import (
    Acquired,
    Done,
    Effect,
    Erase,
    Event,
    Found,
    Lost,
    Read,
    Refused,
    Tick,
    Unknown,
    Write,
)

CONFIG = LeaseConfig()


@dataclass
class Store:
    """One key, compare-and-set."""

    revision: int = 0
    record: LeaseRecord | None = None
    at: int = 0
    away: bool = False
    tokens: list[tuple[int, Holder]] = field(default_factory=list[tuple[int, Holder]])

    def do(self, effect: Effect, over: set[Holder]) -> Event:
        match effect:
            case Read():
                holder = self.record.holder if self.record else None
                return Found(record=self.record, revision=self.at, over=holder in over)
            case Write():
                if effect.expected != self.at:
                    return Refused()
                self.revision += 1
                self.record, self.at = effect.record, self.revision
                if not effect.record.token:
                    self.tokens.append((self.at, effect.record.holder))
                return Done(self.at)
            case Erase():
                if effect.expected != self.at:
                    return Refused()
                self.revision += 1
                self.record, self.at = None, 0
                return Done(self.revision)
            case _:
                raise AssertionError(effect)


class Observer:
    """One machine, with its own clock, and what it has been told."""

    def __init__(self, name: str, epoch: int, store: Store, clock_s: float) -> None:
        self.me = Holder(name=name, epoch=epoch)
        self.store = store
        self.clock_s = clock_s
        self.over: set[Holder] = set()
        self.acquired: list[int] = []
        self.lost: list[str] = []
        self.asked: Effect | None = None
        self.machine = LeaseMachine(self.me, CONFIG, clock_s)

    def tell(self, event: Event) -> None:
        self._take(self.machine.handle(event, self.clock_s))

    def _take(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Acquired(token):
                    self.acquired.append(token)
                case Lost(reason):
                    self.lost.append(reason)
                case _:
                    assert self.asked is None, "two at once"
                    self.asked = effect

    def answer(self, *, done: bool = True, heard: bool = True) -> None:
        """What was asked is done or not, and the answer heard or not."""
        effect, self.asked = self.asked, None
        assert effect is not None
        done = done and not self.store.away
        answer = self.store.do(effect, self.over) if done else Unknown()
        self.tell(answer if heard else Unknown())

    def advance(self, seconds: float) -> None:
        """Time passes; whatever is due is done and answered at once."""
        end = self.clock_s + seconds
        while True:
            while self.asked is not None:
                self.answer()
            due = self.machine.next_deadline()
            if due is None or due > end:
                break
            self.clock_s = max(self.clock_s, due)
            self.tell(Tick())
        self.clock_s = end

    @property
    def truly_holds(self) -> bool:
        record = self.store.record
        return record is not None and record.holder == self.me and record.token_at(self.store.at) == self.machine.token


def together(observers: list[Observer], seconds: float, step_s: float = 0.5) -> None:
    """Lets time pass for all of them, in small steps."""
    for _ in range(round(seconds / step_s)):
        for observer in observers:
            observer.advance(step_s)
