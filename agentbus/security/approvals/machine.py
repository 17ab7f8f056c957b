"""Which calls wait for a person, and what becomes of each. Pure.

::

    pending -- Answered, yes --> approved
            -- Answered, no ---> refused
            -- Tick, too late -> expired
            -- Gone -----------> withdrawn

Invariants: a call is decided once; an answer counts for the one call whose every particular it names, while that waits;
at most `pending` calls wait, and `remembered` decided ones are known.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import fields

from .config import ApprovalsConfig
from .model import Answered, Asked, Call, Decided, Effect, Event, Gone, Outcome, Refusal, Subject, Why


class Docket:
    """The calls of one desk.

    Args:
        config: the knobs.
    """

    def __init__(self, config: ApprovalsConfig | None = None) -> None:
        self._config = config or ApprovalsConfig()
        self._pending: dict[str, Call] = {}
        self._of_sender: Counter[str] = Counter()
        self._decided: OrderedDict[str, Decided] = OrderedDict()

    def __len__(self) -> int:
        return len(self._pending)

    def __iter__(self) -> Iterator[Call]:
        """The calls that wait, the oldest first."""
        return iter(tuple(self._pending.values()))

    def get(self, id: str) -> Call | None:  # noqa: A002 - as everywhere here
        """The call that waits under that number."""
        return self._pending.get(id)

    def next_deadline(self) -> float | None:
        """When a call will have waited too long; None while none waits."""
        return min((call.until_s for call in self._pending.values()), default=None)

    def handle(self, event: Event, now: float) -> list[Effect]:
        """What follows from an event at a time, seconds of any monotonic clock."""
        if isinstance(event, Asked):
            return self._asked(event.call, now)
        if isinstance(event, Answered):
            return [self._answered(event, now)]
        if isinstance(event, Gone):
            call = self._pending.get(event.id)
            gone = "its agent, or its node, went away"
            return [self._decide(call, Outcome.WITHDRAWN, gone)] if call is not None else []
        due = [call for call in self._pending.values() if call.until_s <= now]
        return [self._decide(call, Outcome.EXPIRED, "nobody answered in time") for call in due]

    def _asked(self, call: Call, now: float) -> list[Effect]:
        if call.about.id in self._pending or call.about.id in self._decided:
            return [Refusal(Why.DECIDED, f"call {call.about.id} has been asked about before")]
        if len(self._pending) >= self._config.pending:
            return [Refusal(Why.FULL, f"{len(self._pending)} calls wait for approval already")]
        if self._of_sender[call.sender] >= self._config.pending_each:
            theirs = self._of_sender[call.sender]
            return [
                Refusal(Why.FULL, f"{theirs} calls of {call.sender or 'foreign clients'} wait for approval already")
            ]
        self._pending[call.about.id] = call
        self._of_sender[call.sender] += 1
        if call.until_s <= now:
            return [self._decide(call, Outcome.EXPIRED, "its requester waits no longer")]
        return []

    def _answered(self, event: Answered, now: float) -> Effect:
        answer, about = event.answer, event.answer.about
        call = self._pending.get(about.id)
        if call is None:
            before = self._decided.get(about.id)
            if before is None:
                return Refusal(Why.UNKNOWN, f"no call {about.id} waits here")
            if before.outcome is Outcome.EXPIRED:
                return Refusal(Why.LATE, f"call {about.id}: too late, its time was over")
            who = f" by {before.by}" if before.by else ""
            return Refusal(Why.DECIDED, f"call {about.id} was {before.outcome.value} before{who}")
        if wrong := _differences(about, call.about):
            return Refusal(Why.MISMATCH, f"call {about.id}: this was signed for another {', '.join(wrong)}")
        if call.until_s <= now:  # told at the next tick
            return Refusal(Why.LATE, f"call {about.id}: too late, its time is over")
        skew_us = self._config.skew_s * 1e6
        if not call.asked_us - skew_us <= answer.at_us <= event.now_us + skew_us:
            text = f"call {about.id}: signed before it was asked, or in the future: set the clock right"
            return Refusal(Why.CLOCK, text)
        outcome = Outcome.APPROVED if answer.approved else Outcome.REFUSED
        return self._decide(call, outcome, answer.reason, event.by)

    def _decide(self, call: Call, outcome: Outcome, reason: str, by: str = "") -> Decided:
        del self._pending[call.about.id]
        self._of_sender[call.sender] -= 1
        if not self._of_sender[call.sender]:
            del self._of_sender[call.sender]
        decided = Decided(call=call, outcome=outcome, reason=reason, by=by)
        self._decided[call.about.id] = decided
        if len(self._decided) > self._config.remembered:
            self._decided.popitem(last=False)
        return decided


def _differences(one: Subject, other: Subject) -> list[str]:
    """The particulars in which they differ, by name."""
    return [field.name for field in fields(one) if getattr(one, field.name) != getattr(other, field.name)]
