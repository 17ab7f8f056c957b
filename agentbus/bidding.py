"""Bidding: a policy behavior's answers to calls for proposals, and what becomes of its bids.

A call is answered where it comes, in the transport's call: a bid is a number, the cost method is quick, and nothing
waits. The job is kept until the call's deadline, so that an award need not carry it again; an award puts it into the
behavior's mailbox, and from there it is a request like others: in order, within its deadline, answered whatever
happens.

Invariants: at most `OPEN` bids wait, the oldest is forgotten; a job is begun once, however often its award comes.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from google.protobuf.message import DecodeError

from .decisions import JobKey, job_id
from .errors import Busy, HandlerFailed, Refused, SchemaMismatch
from .inbound import Inbound
from .messages import Frame, full_name
from .negotiation import Contract, Engagement, Terms, invalid
from .policies import Decision, Past, PolicyState
from .proposals import (
    AWARD,
    CANCELLATION,
    REJECTION,
    Award,
    CallForProposals,
    Cancellation,
    Proposal,
    Rejection,
    terms_of,
)
from .reoffering import Reoffers, Won
from .specs import PolicySpec
from .worker import Host, answer

OPEN = 4096
"""Bids that may wait for a decision, and awards that are remembered, for each behavior."""

_KINDS: dict[str, type[Award | Rejection | Cancellation]] = {
    AWARD: Award,
    REJECTION: Rejection,
    CANCELLATION: Cancellation,
}


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

    __slots__ = ("_awards", "_engagements", "_host", "_name", "_offer", "_open", "_reoffers", "_spec", "_taken")

    def __init__(self, host: Bidding, spec: PolicySpec, offer: Callable[[Inbound], None]) -> None:
        self._host = host
        self._spec = spec
        self._name = full_name(spec.type)
        self._offer = offer
        self._open: OrderedDict[JobKey, OpenBid] = OrderedDict()
        self._taken: OrderedDict[JobKey, tuple[int, Engagement]] = OrderedDict()  # with the number of the award
        self._engagements: list[Engagement] = []
        self._awards = 0
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
        self._host.port.bus.hold()  # others on this node bid in this turn, too
        for index, payload in enumerate(frame.payloads):
            key = (frame.source, frame.epoch, frame.sequence + index)
            if key not in self._open and key not in self._taken:
                self._answer(inbound, index, key, payload)

    def _answer(self, inbound: Inbound, index: int, key: JobKey, payload: bytes) -> None:
        host = self._host
        terms = Terms()
        try:
            call = CallForProposals.FromString(payload)
        except DecodeError as error:
            decision = Decision(refusal=SchemaMismatch(f"not a call for proposals: {error}"))
        else:
            terms = terms_of(call)
            decision = self._decide(call.job, terms)
            if decision.bid is not None and decision.weight is not None:
                self._remember(inbound, index, key, call.job, terms, decision)
        frame = inbound.frame
        if decision.bid is None or decision.weight is None:
            error = decision.refusal or Refused("")
            self._note(key, "refused", value=terms.value, cost=decision.cost, weight=decision.weight, reason=error)
            answer(host, inbound, index, error)
            if isinstance(error, HandlerFailed) and isinstance(error.__cause__, Exception):
                host.failed(self._spec.name, error.__cause__)
            return
        self._note(key, "bid", value=terms.value, cost=decision.cost, weight=decision.weight, bid=decision.bid)
        proposal = Proposal(bid=decision.bid, weight=decision.weight)
        host.port.reply(inbound.inbox, frame.sequence + index, proposal, frame.hops + 1)

    def _note(self, key: JobKey, what: str, **facts: object) -> None:
        host = self._host
        host.port.bus.decisions.note(host.log, key, host.name, what, behavior=self._spec.name, **facts)

    def _decide(self, payload: bytes, terms: Terms) -> Decision:
        """What the agent says to a job at this moment."""
        host = self._host
        if not host.running:
            return Decision(refusal=Busy(f"agent {host.name!r} is not running now"))
        try:
            job = self._spec.type.FromString(payload)
        except DecodeError as error:
            return Decision(refusal=SchemaMismatch(f"not a job of type {self._name}: {error}"))
        return host.policy_of(self._spec).decide(job, terms, host.cost_of(self._spec), self.queue())

    def _remember(
        self, inbound: Inbound, index: int, key: JobKey, job: bytes, terms: Terms, decision: Decision
    ) -> None:
        assert decision.cost is not None
        assert decision.bid is not None
        assert decision.weight is not None
        deadlines = inbound.frame.deadlines_ms
        expires_s = inbound.received_s + (deadlines[index] / 1000 if deadlines else 0.0)
        self._open[key] = OpenBid(
            job, terms, decision.own_cost, decision.cost, decision.bid, decision.weight, expires_s, self._awards
        )
        oldest = next(iter(self._open.values()))
        while len(self._open) > OPEN or oldest.expires_s < inbound.received_s:
            self._open.popitem(last=False)
            oldest = next(iter(self._open.values()), self._open[key])

    def queue(self) -> float:
        """What the jobs that it has been awarded and not ended cost, for each that it does at once."""
        self._engagements = [engagement for engagement in self._engagements if not engagement.ended]
        return sum(engagement.contract.cost for engagement in self._engagements) / self._spec.concurrency

    # -- decisions -------------------------------------------------------------------------------------------------

    def decided(self, inbound: Inbound, index: int) -> bool:
        """An award, a rejection or a cancellation has come. Returns whether it was of a call that this one knows."""
        frame = inbound.frame
        try:
            word = _KINDS[frame.type].FromString(frame.payloads[index])
        except DecodeError as error:
            answer(self._host, inbound, index, SchemaMismatch(f"not a {frame.type}: {error}"))
            return True
        key = (frame.source, frame.epoch, word.call)
        known = self._open.pop(key, None)
        if isinstance(word, Award):
            return self._awarded(inbound, index, key, word, known)
        if isinstance(word, Rejection):
            if known is not None and word.HasField("price") and not invalid("the price", word.price):
                self._learn(known, won=False, price=word.price)
                self._note(key, "not chosen", bid=known.bid, price=word.price)
            return known is not None
        taken = self._taken.get(key)
        if taken is not None:
            taken[1].cancel()
        return taken is not None

    def _awarded(self, inbound: Inbound, index: int, key: JobKey, award: Award, known: OpenBid | None) -> bool:
        frame = inbound.frame
        number = frame.sequence + index
        if known is None:
            taken = self._taken.get(key)
            if taken is not None and taken[0] != number:
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
        self._taken[key] = (number, engagement)
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
        under_way = sum(not engagement.ended for engagement in self._engagements)
        return under_way + len(self._reoffers.tasks) >= self._spec.concurrency

    def _keep(self, won: Won) -> None:
        """Does the job here."""
        self._engagements.append(won.engagement)
        self._note(won.key, "took it", price=won.engagement.contract.price, payment=won.engagement.contract.payment)
        self._offer(won.order)

    def _learn(self, known: OpenBid, *, won: bool, price: float) -> None:
        past = Past(cost=known.cost, bid=known.bid, won=won, price=price, second_price=known.terms.second_price)
        self._host.policy_of(self._spec).history.append(past)
