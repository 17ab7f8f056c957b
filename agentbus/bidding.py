"""Bidding: a policy behavior's answers to calls for proposals, and what becomes of its bids.

A call is answered where it comes, in the transport's call: a bid is a number, the cost method is quick, and nothing
waits. The job is kept until the call's deadline, so that an award need not carry it again; an award puts it into the
behavior's mailbox, and from there it is a request like others: in order, within its deadline, answered whatever
happens.

Invariants: at most `OPEN` bids wait, with `HELD` bytes of jobs, the oldest is forgotten; a job is begun once, however
often its award comes.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from google.protobuf.message import DecodeError

from .contracts import Contract, Engagement
from .decisions import JobKey, job_id
from .errors import Busy, HandlerFailed, Refused, SchemaMismatch
from .inbound import Inbound
from .messages import Frame, full_name
from .negotiation import Terms, invalid
from .policies import Decision, Past, PolicyState
from .proposals import (
    AWARD,
    CANCELLATION,
    Award,
    Called,
    Cancellation,
    call_of,
    proposal,
    rejection_of,
)
from .reoffering import Reoffers, Won
from .specs import PolicySpec
from .worker import Host, answer

OPEN = 4096
"""Bids that may wait for a decision, and awards that are remembered, for each behavior."""

HELD = 64 << 20
"""Bytes of jobs that the open bids of a behavior hold at most; one is always kept."""

_BID = ("behavior", "value", "cost", "weight", "bid")
_REFUSED = ("behavior", "value", "cost", "weight", "reason")
_TOOK = ("behavior", "price", "payment")
"""What is noted of each decision."""

_KINDS: dict[str, type[Award | Cancellation]] = {AWARD: Award, CANCELLATION: Cancellation}


class Bidding(Host, Protocol):
    """The agent's side of a bidder."""

    def cost_of(self, spec: PolicySpec) -> Callable[[Any], float | None]:
        """What finds the cost of a job, of the instance that stands for the agent now."""
        ...

    def policy_of(self, spec: PolicySpec) -> PolicyState:
        """The policy at work."""
        ...


class OpenBid(NamedTuple):
    """A bid that waits for a decision. `awards`: how many jobs the agent had been awarded when it bid."""

    job: bytes
    terms: Terms
    own_cost: float
    cost: float
    bid: float
    weight: float
    expires_s: float
    awards: int


class Bidder:
    """Bids for one behavior of one agent.

    Args:
        host: the agent's side.
        spec: the behavior.
        offer: takes an awarded job into the behavior's mailbox.
    """

    __slots__ = (
        "_awards",
        "_engagements",
        "_held",
        "_host",
        "_name",
        "_offer",
        "_open",
        "_policy",
        "_reoffers",
        "_returns",
        "_spec",
        "_taken",
    )

    def __init__(self, host: Bidding, spec: PolicySpec, offer: Callable[[Inbound], None]) -> None:
        self._host = host
        self._spec = spec
        self._policy = host.policy_of(spec)
        self._name = full_name(spec.type)
        self._returns = full_name(spec.reply)
        self._offer = offer
        self._open: OrderedDict[JobKey, OpenBid] = OrderedDict()
        self._taken: OrderedDict[JobKey, int] = OrderedDict()  # the number of the award
        self._engagements: dict[JobKey, Engagement] = {}  # those of them that have not ended
        self._awards = 0
        self._held = 0
        self._reoffers = Reoffers(host, spec, self._decide, self._keep)

    @property
    def tasks(self) -> set[asyncio.Task[None]]:
        """What offers jobs once more."""
        return self._reoffers.tasks

    # -- calls -----------------------------------------------------------------------------------------------------

    def called(self, inbound: Inbound) -> None:
        """Calls for proposals have come."""
        frame = inbound.frame
        if inbound.foreign or not inbound.reply or frame.source == self._host.name:
            if inbound.foreign:
                answer(self._host, inbound, 0, SchemaMismatch("calls for proposals come in frames: use delegate()"))
            return
        bus = self._host.port.bus
        bus.hold()  # others on this node bid in this turn, too
        source, epoch, number = frame.source, frame.epoch, frame.sequence
        queue, at_us = self.queue(), bus.clock_us()  # of all of the frame's: nothing is awarded or done meanwhile
        for index, call in enumerate(inbound.read(call_of)):
            key = (source, epoch, number + index)
            if key not in self._open and key not in self._taken:
                self._answer(inbound, index, key, call, queue, at_us)
        self._forget(inbound.received_s)

    def _forget(self, now: float) -> None:
        """Lets go of open bids that have expired, and of the oldest where there are too many."""
        waiting = self._open
        while len(waiting) > 1 and (
            len(waiting) > OPEN or self._held > HELD or next(iter(waiting.values())).expires_s < now
        ):
            self._held -= len(waiting.popitem(last=False)[1].job)

    def _taken_back(self, key: JobKey) -> OpenBid | None:
        """The open bid for that job, which is open no longer."""
        known = self._open.pop(key, None)
        if known is not None:
            self._held -= len(known.job)
        return known

    def _answer(self, inbound: Inbound, index: int, key: JobKey, call: Called, queue: float, at_us: int) -> None:
        host, frame = self._host, inbound.frame
        payload, terms, result, broken = call
        if broken:
            decision = Decision(refusal=SchemaMismatch(f"not a call for proposals: {broken}"))
        elif result and result != self._returns:
            decision = Decision(refusal=SchemaMismatch(f"it returns a {self._returns}, not a {result}"))
        else:
            decision = self._decide(payload, terms, queue)
        own_cost, cost, weight, bid, refusal = decision
        if bid is None or weight is None or cost is None:
            error = refusal or Refused("")
            self._note(key, "refused", _REFUSED, (self._spec.name, terms.value, cost, weight, error))
            answer(host, inbound, index, error)
            if isinstance(error, HandlerFailed) and isinstance(error.__cause__, Exception):
                host.failed(self._spec.name, error.__cause__)
            return
        values = (self._spec.name, terms.value, cost, weight, bid)
        host.port.bus.decisions.note(host.log, key, host.name, "bid", _BID, values, at_us)
        deadlines = frame.deadlines_ms
        expires_s = inbound.received_s + (deadlines[index] / 1000 if deadlines else 0.0)
        self._held += len(payload)
        self._open[key] = OpenBid(payload, terms, own_cost, cost, bid, weight, expires_s, self._awards)
        host.port.reply(inbound.inbox, frame.sequence + index, proposal(bid, weight), frame.hops + 1)

    def _note(self, key: JobKey, what: str, names: tuple[str, ...], values: tuple[object, ...]) -> None:
        host = self._host
        host.port.bus.decisions.note(host.log, key, host.name, what, names, values)

    def _decide(self, payload: bytes, terms: Terms, queue: float | None = None) -> Decision:
        """What the agent says to a job at this moment."""
        host, spec = self._host, self._spec
        if not host.running:
            return Decision(refusal=Busy(f"agent {host.name!r} is not running now"))
        try:
            job = spec.type.FromString(payload)
        except DecodeError as error:
            return Decision(refusal=SchemaMismatch(f"not a job of type {self._name}: {error}"))
        return self._policy.decide(job, terms, host.cost_of(spec), self.queue() if queue is None else queue)

    def queue(self) -> float:
        """What the jobs that it has been awarded and not ended cost, for each that it does at once."""
        busy = self._under_way()
        return sum(engagement.contract.cost for engagement in busy) / self._spec.concurrency if busy else 0.0

    def _under_way(self) -> list[Engagement]:
        """What it does, or is to do, itself."""
        if not self._engagements:
            return []
        self._engagements = {key: each for key, each in self._engagements.items() if not each.ended}
        return [each for each in self._engagements.values() if each.kept]

    # -- decisions -------------------------------------------------------------------------------------------------

    def closed(self, inbound: Inbound) -> None:
        """Jobs are over. Of a bid that waits for a decision that is the rejection."""
        frame = inbound.frame
        source, epoch = frame.source, frame.epoch
        for call, price in inbound.read(rejection_of):
            known = self._taken_back((source, epoch, call))
            if known is None or price is None:
                continue
            value = known.terms.value
            if value is None or price <= value:  # else it is no price of this job
                self._learn(known, won=False, price=price)

    def decided(self, inbound: Inbound, index: int) -> bool:
        """An award or a cancellation has come. Returns whether it was of a call that this one knows."""
        frame = inbound.frame
        try:
            word = _KINDS[frame.type].FromString(frame.payloads[index])
        except DecodeError as error:
            answer(self._host, inbound, index, SchemaMismatch(f"not a {frame.type}: {error}"))
            return True
        key = (frame.source, frame.epoch, word.call)
        if isinstance(word, Award):
            return self._awarded(inbound, index, key, word, self._taken_back(key))
        self._taken_back(key)
        if (engagement := self._engagements.get(key)) is not None:
            engagement.cancel()
        return key in self._taken

    def _awarded(self, inbound: Inbound, index: int, key: JobKey, award: Award, known: OpenBid | None) -> bool:
        frame = inbound.frame
        number = frame.sequence + index
        if known is None:
            taken = self._taken.get(key)
            if taken is not None and taken != number:
                answer(self._host, inbound, index, Refused("this job was awarded to it before"))
            return taken is not None
        if wrong := invalid("the price", award.price) or invalid("the payment", award.payment):
            answer(self._host, inbound, index, wrong)
            return True
        if award.payment < known.bid:
            answer(self._host, inbound, index, Refused(f"it bid {known.bid:g}, and would be paid {award.payment:g}"))
            return True
        contract = Contract(
            job=job_id(key),
            buyer=frame.source,
            terms=known.terms,
            bid=known.bid,
            cost=known.own_cost,
            price=award.price,
            payment=award.payment,
        )
        engagement = Engagement(contract)
        self._engagements[key] = engagement
        self._taken[key] = number
        if len(self._taken) > OPEN:
            self._taken.popitem(last=False)
        self._learn(known, won=True, price=award.price)
        deadlines = frame.deadlines_ms[index : index + 1]
        traces = frame.traces[index : index + 1]
        job = Frame(
            self._name,
            frame.source,
            frame.epoch,
            frame.hops,
            number,
            frame.time_us,
            [known.job],
            deadlines,
            traces,
            [],
        )
        order = Inbound(job, inbound.subject, inbound.reply, inbound.received_s)
        order.engagement = engagement
        order.opened = inbound.opened
        until_s = inbound.received_s + deadlines[0] / 1000 if deadlines else known.expires_s
        won = Won(key, order, engagement, known.cost, known.weight, until_s)
        if self._awards == known.awards or not self._busy():
            self._keep(won)
        else:
            self._reoffers.take(won)
        self._awards += 1
        return True

    def _busy(self) -> bool:
        """Whether it does, or is to do, as many jobs as it can at once."""
        return len(self._under_way()) + len(self._reoffers.tasks) >= self._spec.concurrency

    def _keep(self, won: Won) -> None:
        """Does the job here."""
        won.engagement.kept = True
        contract = won.engagement.contract
        self._note(won.key, "took it", _TOOK, (self._spec.name, contract.price, contract.payment))
        self._offer(won.order)

    def _learn(self, known: OpenBid, *, won: bool, price: float) -> None:
        self._policy.history.append(Past(known.cost, known.bid, won, price, known.terms.second_price))
