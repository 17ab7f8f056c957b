"""One lease, as one who holds it or wants it sees it. Pure.

`handle` takes an event and the time, and returns what to do; at most one `Read`, `Write` or `Erase` is under way, and
each is to be answered. Time is the observer's own, monotonic: no clock is ever compared with another's.

Invariants:

* Every write is a compare-and-set on a revision that was read or written before, so of two who write one of them wins,
  and tokens (the revision at acquisition) grow from holder to holder.
* A holder that can't renew goes on holding: nobody can take what can't be written. It learns that it has lost the
  lease by reading another's record, or by a refusal; until then what it writes elsewhere must be refused there, by
  the token. `sure` tells whether somebody could have taken it meanwhile.
* A lease is taken when it is free, when its holder's life is over, or when its revision has not changed for `stale_s`
  of answered looks. Time in which the store did not answer counts for no more than one gap.

Reference: fencing tokens as in Kleppmann, "How to do distributed locking" (2016); the observer's own clock as in
Kubernetes' leader election.
"""

from __future__ import annotations

from .config import LeaseConfig
from .model import (
    Acquired,
    Done,
    Effect,
    Erase,
    Event,
    Found,
    Holder,
    LeaseRecord,
    Leave,
    Lost,
    Nudge,
    Read,
    Refused,
    Tick,
    Unknown,
    Want,
    Write,
)

LEAST_S = 0.001
"""Seconds between two looks at least: what is due in less is due then."""


class LeaseMachine:
    """Decides for one key.

    Args:
        me: who wants it, in this life.
        config: the knobs.
        now: seconds.

    Attributes:
        token: the fencing token while the lease is held, else None.
        holder: who had it when it was last read or written, None for nobody.
        revision: the key's, when it was last read or written.
        wanted: whether it is to be held.
    """

    def __init__(self, me: Holder, config: LeaseConfig, now: float) -> None:
        self.me = me
        self.config = config
        self.token: int | None = None
        self.holder: Holder | None = None
        self.revision = 0
        self.wanted = False
        self._patience_s = 0.0
        self._asked: Effect | None = None
        self._due_s: float | None = None
        self._again = False  # look again as soon as what is under way is answered
        self._doubt = False  # a write was not answered: the key has to be read
        self._unchanged_s = 0.0
        self._looked_s: float | None = None
        self._takeable_s: float | None = None  # since when it could be had
        self._confirmed_s = now

    def next_deadline(self) -> float | None:
        """When to `handle` a `Tick`, None while an answer is awaited or nothing is wanted."""
        return None if self._asked is not None else self._due_s

    def sure(self, now: float) -> bool:
        """Whether nobody can have taken the lease yet, whatever he knows: it was confirmed less than `stale_s` ago.
        (A verdict on the holder's own life is not counted: who is declared dead can't be sure of anything.)"""
        return self.token is not None and now - self._confirmed_s < self.config.stale_s

    def handle(self, event: Event, now: float) -> list[Effect]:
        """What to do about an event, at `now` seconds."""
        match event:
            case Want():
                return self._want(event, now)
            case Leave():
                self.wanted = False
                self._due_s = now if self.token is not None or self._doubt else None
                return self._act(now)
            case Nudge():
                return self._nudge(now)
            case Tick():
                return self._act(now)
            case _:
                return self._answered(event, now)

    # -- what its owner says ---------------------------------------------------------------------------------------

    def _want(self, event: Want, now: float) -> list[Effect]:
        sooner = event.patience_s < self._patience_s
        self._patience_s = event.patience_s
        if self.wanted:
            return self._nudge(now) if sooner else []
        self.wanted = True
        if self.token is None:
            self._forget()
            self._due_s = now
        return self._act(now)

    def _nudge(self, now: float) -> list[Effect]:
        if self.token is not None or not self.wanted:
            return []
        self._again = self._asked is not None
        self._due_s = now
        return self._act(now)

    def _act(self, now: float) -> list[Effect]:
        if self._asked is not None or self._due_s is None or now < self._due_s:
            return []
        if self.token is None and not self.wanted and not self._doubt:
            self._due_s = None
            return []
        if self.token is None:
            return [self._ask(Read())]
        if self._doubt:
            return [self._ask(Read())]
        if not self.wanted:
            return [self._ask(Erase(expected=self.revision))]
        return [self._ask(Write(record=LeaseRecord(holder=self.me, token=self.token), expected=self.revision))]

    def _ask(self, effect: Effect) -> Effect:
        self._asked = effect
        return effect

    # -- what the store says ---------------------------------------------------------------------------------------

    def _answered(self, event: Event, now: float) -> list[Effect]:
        asked, self._asked = self._asked, None
        effects: list[Effect] = []
        match event:
            case Found():
                effects = self._found(event, now)
            case Done():
                effects = self._done(asked, event.revision, now)
            case Refused():  # somebody else wrote, or an earlier write of ours was done after all
                self._doubt = self._doubt or self.token is not None
                self._due_s = now
            case Unknown():
                self._doubt = self._doubt or not isinstance(asked, Read)
                self._due_s = now + self.config.retry_s
            case _:
                raise TypeError(f"{event!r} is no event of a lease")
        if self._again and self.token is None and self.wanted:
            self._due_s = now
        self._again = False
        return effects + self._act(now)

    def _done(self, asked: Effect | None, revision: int, now: float) -> list[Effect]:
        self._confirmed_s = now
        if isinstance(asked, Erase):
            held, self.token, self.holder, self.revision = self.token, None, None, 0
            self._due_s = now if self.wanted else None
            self._forget()
            return [] if held is None else [Lost("given back")]
        self.holder, self.revision = self.me, revision
        self._due_s = now + self.config.renew_s if self.wanted else now
        if self.token is not None:
            return []
        self.token = revision
        return [Acquired(revision)]

    def _found(self, found: Found, now: float) -> list[Effect]:
        held, self._doubt = self.token, False
        mine = found.record is not None and found.record.holder == self.me
        if held is not None:
            if found.record is not None and mine and found.record.token_at(found.revision) == held:
                self.revision, self._confirmed_s = found.revision, now
                self._due_s = now  # renew, or give back, at the revision that is known now
                return []
            self.token = None
            self._note(found, now)
            self._due_s = now + self.config.poll_s if self.wanted else None
            return [Lost(f"{found.record.holder} has it" if found.record else "it is gone")]
        self._note(found, now)
        if not self.wanted:  # a write of ours may have been done though nobody answered
            self._due_s = None
            return [self._ask(Erase(expected=found.revision))] if mine else []
        if not self._may_take(found, mine, now):
            waits_s = self.config.poll_s
            if self._takeable_s is not None:
                waits_s = min(waits_s, max(LEAST_S, self._takeable_s + self._patience_s - now))
            self._due_s = now + waits_s
            return []
        return [self._ask(Write(record=LeaseRecord(holder=self.me), expected=found.revision))]

    def _note(self, found: Found, now: float) -> None:
        if found.revision != self.revision or self._looked_s is None:
            self._unchanged_s = 0.0
        else:
            self._unchanged_s += min(now - self._looked_s, self.config.gap_s)
        self._looked_s = now
        self.revision = found.revision
        self.holder = found.record.holder if found.record else None

    def _may_take(self, found: Found, mine: bool, now: float) -> bool:
        """Free, ours from a write that was not answered or an instance before, of a life that is over, or stale."""
        if mine or self._unchanged_s >= self.config.stale_s:
            return True
        holder = found.record.holder if found.record else None
        superseded = holder is not None and holder.name == self.me.name and holder.epoch < self.me.epoch
        if holder is not None and not superseded and not found.over:
            self._takeable_s = None
            return False
        if self._takeable_s is None:
            self._takeable_s = now
        return now - self._takeable_s >= self._patience_s

    def _forget(self) -> None:
        """What was seen before is no evidence any more."""
        self._unchanged_s, self._looked_s, self._takeable_s = 0.0, None, None
