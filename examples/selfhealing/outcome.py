"""What became of each fault: found when, taken over when, back when, and who was blamed for nothing. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from .timeline import Event, Injection, Timeline, What

UNDER_WAY_S = 0.25
"""Seconds after a broker's death within which a commit that is seen may have been stored before it."""
VERDICTS = {
    "kill": frozenset({What.FAILED}),
    "stop": frozenset({What.FAILED}),
    "partition": frozenset({What.FAILED}),
    "lie": frozenset({What.CONVICTED}),
    "slow": frozenset({What.CONVICTED, What.FAILED}),
    "broker": frozenset({What.LINK_LOST}),
}
"""What tells that a fault was found. A broker is missed by whoever was connected to it."""
ANEW = frozenset({"lie", "slow"})
"""Faults that only a new life of the victim ends."""
FRAMED = frozenset({"lying", "false-accuser"})
"""Verdicts that no lack of processor time excuses: they are about what somebody has written, not about when."""
BELIEFS = frozenset({What.FAILED, What.LEFT, What.JOINED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a fault. Times are seconds since it took effect; None: that has not happened.

    Attributes:
        fault: the fault.
        from_s: when it took effect, in the run's time: a liar's with the first wrong score that was committed.
        detect_s: until all victims had been found by somebody.
        agree_s: until all others knew of all victims.
        recover_s: until each of the shards had a result of a successor.
        return_s: until the victims were back at work, and known to the others.
        replayed: records that had been committed and were done again.
        false_alarms: nodes that were blamed though nothing had been done to them.
        framed: those of them that were convicted of lying, or of accusing falsely.
        fenced: victims that found out that a shard is another's.
        blamed: what was said of those first.
        leases_lost: shards that others, who were alive and well, would have kept.
        wrong: victims that have published something wrong, and liars of before that had had no occasion to.
        each_s: for each of them, seconds from its own first wrong score (a liar's; else from the fault) until it was
            found; without those that were not.
    """

    fault: Injection
    from_s: float | None
    detect_s: float | None = None
    agree_s: float | None = None
    recover_s: float | None = None
    return_s: float | None = None
    replayed: int = 0
    false_alarms: int = 0
    framed: int = 0
    fenced: int = 0
    blamed: tuple[str, ...] = ()
    leases_lost: int = 0
    wrong: int = 0
    each_s: Mapping[str, float] = field(default_factory=dict[str, float])

    @property
    def healed(self) -> bool:
        """Whether every step was taken, and nobody honest convicted. Who was stopped must have found itself fenced."""
        steps = (self.detect_s, self.recover_s, self.return_s)
        return None not in steps and not self.framed and (self.fault.kind != "stop" or self.fenced > 0)


def outcomes(timeline: Timeline) -> list[Outcome]:
    """What became of each fault of a run."""
    return [outcome(timeline, fault) for fault in timeline.faults]


def outcome(timeline: Timeline, fault: Injection) -> Outcome:
    """What became of one fault, so far."""
    return _Case(timeline.nodes, fault, timeline.window(fault), _still_at_it(timeline, fault)).outcome()


def _still_at_it(timeline: Timeline, fault: Injection) -> frozenset[str]:
    """Who was made a liar before and had nothing to lie about, or was made slow, and has begun no new life since."""
    guilty: set[str] = set()
    for event in timeline.events:
        if event.at_s >= fault.at_s:
            break
        if event.what is What.INJECTED and event.text in ANEW:
            guilty.add(event.about)
        elif event.what is What.STARTED:
            guilty.discard(event.who)
    return frozenset(guilty)


class _Case:
    """One fault, and the events from it to the next."""

    def __init__(self, nodes: Sequence[str], fault: Injection, events: Sequence[Event], still_at_it: Set[str]) -> None:
        self.fault = fault
        self.guilty = still_at_it | set(fault.victims)
        self.events = events
        self.victims = frozenset(fault.victims)
        self.others = frozenset(nodes) - self.victims
        self.from_s = self._takes_effect_s()

    def outcome(self) -> Outcome:
        alarms = [event for event in self._of(What.FAILED, What.CONVICTED) if event.about not in self.guilty]
        framed = {event.about for event in alarms if event.what is What.CONVICTED and event.text in FRAMED}
        blamed = {event.about: event.sentence() for event in reversed(alarms)}
        replayed = sum(event.records for event in self._of(What.CLAIMED))
        fenced = {event.who for event in self._of(What.FENCED, What.REFUSED)} & self.victims
        if self.from_s is None:
            return Outcome(
                fault=self.fault, from_s=None, false_alarms=len(blamed), framed=len(framed), replayed=replayed
            )
        return Outcome(
            fault=self.fault,
            from_s=self.from_s,
            detect_s=self._since(self._detected_s()),
            agree_s=self._since(self._agreed_s()),
            recover_s=self._since(self._recovered_s()),
            return_s=self._since(self._returned_s()),
            replayed=replayed,
            false_alarms=len(blamed),
            framed=len(framed),
            fenced=len(fenced),
            blamed=tuple(blamed.values()),
            leases_lost=sum(1 for event in self._of(What.FENCED) if event.who in self.others),
            wrong=len({event.who for event in self._of(What.COMMITTED) if not event.right} & self.guilty),
            each_s=self._each_s(),
        )

    # -- steps -----------------------------------------------------------------------------------------------------

    def _takes_effect_s(self) -> float | None:
        return self._first_wrong_s(self.victims) if self.fault.kind == "lie" else self.fault.at_s

    def _first_wrong_s(self, liars: Set[str]) -> float | None:
        wrong = (event for event in self._of(What.COMMITTED) if event.who in liars and not event.right)
        return next((event.at_s for event in wrong), None)

    def _detected_s(self) -> float | None:
        found = self._found()
        if self.fault.kind == "broker":
            return min(found.values(), default=None)
        return _last(
            min((at_s for (_, about), at_s in found.items() if about == v), default=None) for v in self.victims
        )

    def _each_s(self) -> dict[str, float]:
        found = self._found()
        each: dict[str, float] = {}
        for victim in self.guilty if self.fault.kind == "lie" else self.victims:
            from_s = self._first_wrong_s({victim}) if self.fault.kind == "lie" else self.fault.at_s
            found_s = min((at_s for (_, about), at_s in found.items() if about == victim), default=None)
            if from_s is not None and found_s is not None:
                each[victim] = found_s - from_s
        return each

    def _agreed_s(self) -> float | None:
        if self.fault.kind == "broker":
            return None  # there is nothing to agree on
        found = self._found()
        return _last(found.get((who, about)) for who in self.others for about in self.victims)

    def _found(self) -> Mapping[tuple[str, str], float]:
        """When each of the others came to know of each victim."""
        found: dict[tuple[str, str], float] = {}
        for event in self._of(*VERDICTS[self.fault.kind]):
            if event.who in self.others and (event.about in self.guilty or event.what is What.LINK_LOST):
                found.setdefault((event.who, event.about), event.at_s)
        return found

    def _recovered_s(self) -> float | None:
        return _last(self._succeeded_s(shard) for shard in self.fault.shards)

    def _succeeded_s(self, shard: int) -> float | None:
        """The first right commit of a shard by another, or by a victim in a new life or after the fault was lifted."""
        assert self.from_s is not None
        earliest_s = self.from_s + (UNDER_WAY_S if self.fault.kind == "broker" else 0.0)
        anew: set[str] = set()
        for event in self.events:
            if event.what is What.STARTED:
                anew.add(event.who)
            if event.what is not What.COMMITTED or event.shard != shard or not event.right or event.at_s < earliest_s:
                continue
            if event.who not in self.victims or event.who in anew or self._is_lifted(event.at_s):
                return event.at_s
        return None

    def _returned_s(self) -> float | None:
        if self.fault.kind == "broker":
            up_s = next((event.at_s for event in self._of(What.BROKER_UP)), None)
            return _last([up_s, *(self._linked_s(who) for who in self._who(What.LINK_LOST))])
        return _last(self._back_s(victim) for victim in self.victims)

    def _linked_s(self, who: str) -> float | None:
        """Since when `who` has a link; None: it has none."""
        last = [event for event in self._of(What.LINK_LOST, What.LINK_BACK) if event.who == who][-1]
        return last.at_s if last.what is What.LINK_BACK else None

    def _back_s(self, victim: str) -> float | None:
        """When a victim was at work again, and the last of the others that had given it up knew."""
        own = [event for event in self._of(What.ENDED, What.UP) if event.who == victim]
        beliefs = {
            event.who: event for event in self._of(*BELIEFS) if event.about == victim and event.who in self.others
        }
        if self.fault.kind in ANEW and not own:
            return None  # it is still what it was made
        if (own and own[-1].what is What.ENDED) or any(last.what is not What.JOINED for last in beliefs.values()):
            return None
        times = [event.at_s for event in (*own[-1:], *beliefs.values())]
        if self.fault.kind in ("stop", "partition"):
            if self.fault.lifted_s is None:
                return None
            times.append(self.fault.lifted_s)
        return max(times, default=None)

    # -- inside ----------------------------------------------------------------------------------------------------

    def _of(self, *kinds: What) -> Iterable[Event]:
        return (event for event in self.events if event.what in kinds)

    def _who(self, what: What) -> set[str]:
        return {event.who for event in self._of(what)}

    def _is_lifted(self, at_s: float) -> bool:
        return self.fault.lifted_s is not None and at_s >= self.fault.lifted_s

    def _since(self, at_s: float | None) -> float | None:
        return None if at_s is None or self.from_s is None else max(0.0, at_s - self.from_s)


def _last(times: Iterable[float | None]) -> float | None:
    """The latest; None if one of them has not happened, or there are none."""
    found = list(times)
    known = [at_s for at_s in found if at_s is not None]
    return max(known, default=None) if len(known) == len(found) else None
