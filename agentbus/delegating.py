"""Delegating a job: the contract net's buyer at work. `negotiation` decides; here its words are said and heard.

What comes is handled where it comes, in the transport's call, so that a job takes one turn of the event loop for each
step of its exchange: the last bid is followed by the award, the result by the rejections.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from google.protobuf.message import DecodeError, Message
from structlog.typing import FilteringBoundLogger

from .awards import AwardRule, Ranked
from .calls import Call, parse_reply
from .deadlines import Bucket
from .decisions import JobKey, job_id
from .errors import AgentBusError, InvalidBid, SchemaMismatch, SubjectError
from .messages import FAILURE_TYPE, as_error, full_name
from .negotiation import (
    LOOK_S,
    Accept,
    Audience,
    Cancel,
    Declined,
    Effect,
    Ended,
    Event,
    Fell,
    Lost,
    Negotiation,
    Nobody,
    Performed,
    Proposed,
    Reject,
    Terms,
    Tick,
    Withdrawn,
    invalid,
)
from .peers import PeerView
from .port import Port, serialize
from .proposals import PROPOSAL, SUBCONTRACTED, Award, Cancellation, Subcontracted, award, bid_of, call, rejection
from .subjects import check_name

R = TypeVar("R", bound=Message)

WINDOW_S = 0.5
"""How long bids may take unless the buyer says otherwise, seconds: what it costs where nobody is known to bid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Winner(Generic[R]):
    """Who did a job.

    Attributes:
        agent: the name of who won it.
        by: of who has done it: the same, unless the winner was busy and offered it once more.
        bid: what it asked for.
        price: by the award rule.
        payment: what it is to get, by the weight of its policy; less what offering it once more has saved its buyer.
        result: what it returned.
    """

    agent: str
    by: str
    bid: float
    price: float
    payment: float
    result: R


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal(Generic[R]):
    """How a job was done.

    Attributes:
        job: its id, for ``agentbus why``.
        winners: who did it, the best bid first: one, unless the award rule was `every`.
        bidders: how many answered.
        refusals: whose answer was no bid that counts, and why.
        failures: which winners failed before it was done, and how.
    """

    job: str
    winners: tuple[Winner[R], ...]
    bidders: int
    refusals: Mapping[str, AgentBusError] = field(default_factory=dict[str, AgentBusError])
    failures: Mapping[str, AgentBusError] = field(default_factory=dict[str, AgentBusError])

    @property
    def result(self) -> R:
        """What the best of the winners returned."""
        return self.winners[0].result


class Delegation(Generic[R]):
    """One job on its way.

    Args:
        port: the buyer's.
        job: any message that somebody has a policy for.
        reply: the type of its result.
        rule: who gets it.
        terms: what the call says.
        peers: who is alive.
        log: hears of each decision, at level debug.
        window_s, deadline_s, patience_s: see `Negotiation`.
        cause: hops and trace.
    """

    __slots__ = (
        "_audience",
        "_bucket",
        "_busy",
        "_call",
        "_cause",
        "_closed",
        "_deadline_s",
        "_expected",
        "_future",
        "_hears",
        "_job",
        "_lives",
        "_log",
        "_machine",
        "_name",
        "_peers",
        "_port",
        "_rejection",
        "_reply",
        "_reply_name",
        "_results",
        "_subcontracts",
        "_terms",
        "_todo",
        "_when_s",
    )

    def __init__(
        self,
        port: Port,
        job: Message,
        reply: type[R],
        rule: AwardRule,
        terms: Terms,
        peers: PeerView,
        log: FilteringBoundLogger,
        *,
        window_s: float,
        deadline_s: float,
        patience_s: float | None,
        cause: tuple[int, str],
    ) -> None:
        now = port.bus.loop.time()
        self._port = port
        self._job = job
        self._name = full_name(job)
        self._reply = reply
        self._reply_name = full_name(reply)
        self._terms = terms
        self._log = log
        self._deadline_s = deadline_s
        self._cause = cause
        self._peers = peers
        self._audience = _audience(port, self._name, peers, now)
        self._lives = self._audience.lives
        self._expected = self._audience.expected() - {port.source}
        self._machine = Negotiation(
            rule,
            value=terms.value,
            expected=self._expected,
            now=now,
            window_s=window_s,
            deadline_s=deadline_s,
            patience_s=patience_s,
        )
        self._future: asyncio.Future[Ended] = port.bus.loop.create_future()
        self._call = _Bids(self, self._future, f"{self._name} to whoever bids for it", deadline_s)
        self._hears: list[Call] = [self._call]
        self._results: dict[str, R] = {}
        self._rejection: Message | None = None
        self._closed: Callable[[], None] | None = None
        self._subcontracts: dict[str, tuple[str, float]] = {}
        self._todo: deque[Effect] = deque()
        self._busy = False
        self._bucket: Bucket | None = None
        self._when_s: float | None = None

    async def run(self, *, closed: Callable[[], None] | None = None) -> Deal[R]:
        """Has the job done. Raises what `Speaker.negotiate` does.

        Args:
            closed: told when bidding is over.
        """
        self._closed = closed
        port, machine = self._port, self._machine
        hops, trace = self._cause
        try:
            message = call(serialize(self._job), self._terms)
            subject = port.bus.subjects.call(self._name)
            route = port.route(subject, message, Award, hops, alone=False)
            self._tick_at(machine.next_deadline())
            port.ask(route, message, self._call, self._deadline_s, trace)
            ended = await self._future
            winners = tuple(map(self._winner, ended.winners))
            self._note_end(ended, winners)
        finally:
            self.happened(Withdrawn())  # nothing, unless it was cancelled here
            self._tick_at(None)
            for heard in self._hears:
                port.bus.calls.remove(heard)
            self._audience.missed(self._expected - machine.answered)
        if ended.error is not None:
            ended.error.add_note(f"to see why: agentbus why {job_id(self.key)}")
            raise ended.error
        return Deal(
            job=job_id(self.key),
            winners=winners,
            bidders=len(machine.answered),
            refusals=machine.refusals,
            failures=machine.failures,
        )

    def _winner(self, ranked: Ranked) -> Winner[R]:
        name = ranked.bid.bidder
        by, payment = self._subcontracts.get(name, (name, ranked.payment))
        return Winner(
            agent=name,
            by=by,
            bid=ranked.bid.bid,
            price=ranked.price,
            payment=min(payment, ranked.payment),
            result=self._results[name],
        )

    @property
    def key(self) -> JobKey:
        """The job's; its number is known once it was called."""
        return self._port.source, self._port.bus.epoch, self._call.sequence

    def _note(self, what: str, **facts: object) -> None:
        self._port.bus.decisions.note(self._log, self.key, self._port.source, what, **facts)

    def _note_end(self, ended: Ended, winners: tuple[Winner[R], ...]) -> None:
        machine = self._machine
        common: dict[str, object] = {"type": self._name, "value": self._terms.value}
        if ended.error is not None:
            counts = {"refused": len(machine.refusals), "failed": len(machine.failures)}
            self._note("not done", **common, **counts, reason=ended.error)
            return
        for winner in winners:
            by = winner.by if winner.by != winner.agent else None
            self._note("done", **common, winner=winner.agent, by=by, price=winner.price, payment=winner.payment)

    # -- what is heard ---------------------------------------------------------------------------------------------

    def happened(self, event: Event) -> None:
        """Tells the machine, and does what follows."""
        machine = self._machine
        if machine.phase == "ended":
            return
        self._todo.extend(machine.handle(event, self._port.bus.loop.time()))
        if self._busy:
            return  # it happened while an effect was carried out, and its own come after that
        self._busy = True
        while self._todo:
            self._carry_out(self._todo.popleft())
        self._busy = False
        self._tick_at(self._next())
        if self._closed is not None and machine.phase != "bidding":
            self._closed()
            self._closed = None

    def answered(self, kind: str, source: str, payload: bytes) -> None:
        """A bid, or a refusal."""
        try:
            check_name(source, "agent")
        except SubjectError:
            return
        self._audience.heard(source)
        if kind == FAILURE_TYPE:
            self.happened(Declined(source, as_error(payload)))
            return
        try:
            if kind != PROPOSAL:
                raise SchemaMismatch(f"a {kind} is no bid")
            bid = bid_of(source, payload)
        except (DecodeError, SchemaMismatch) as error:
            self.happened(Declined(source, SchemaMismatch(f"the bid can't be read: {error}")))
        else:
            self.happened(Proposed(bid))

    def performed(self, bidder: str, kind: str, payload: bytes) -> None:
        """A winner's answer."""
        if kind == FAILURE_TYPE:
            self.happened(Fell(bidder, as_error(payload)))
            return
        try:
            if kind == SUBCONTRACTED:
                kind, payload = self._subcontracted(bidder, payload)
            self._results[bidder] = parse_reply(self._reply, self._reply_name, kind, payload)
        except (SchemaMismatch, InvalidBid) as error:
            self.happened(Fell(bidder, error))
        else:
            self.happened(Performed(bidder))

    def _subcontracted(self, bidder: str, payload: bytes) -> tuple[str, bytes]:
        """Another has done it: keeps who, and for what; returns the result's type and bytes. Raises `SchemaMismatch`,
        `InvalidBid`."""
        try:
            told = Subcontracted.FromString(payload)
            by = check_name(told.by, "agent")
        except (DecodeError, SubjectError) as error:
            raise SchemaMismatch(f"not a {SUBCONTRACTED}: {error}") from None
        if wrong := invalid("the payment to", told.payment, None, bidder):
            raise wrong
        self._subcontracts[bidder] = by, told.payment
        return told.type, told.result

    def expire(self) -> None:
        """The machine's time has come, or time to look whether the winners are alive."""
        self._bucket = self._when_s = None
        if self._machine.doing:
            lives = _audience(self._port, self._name, self._peers, self._port.bus.loop.time()).lives
            for name in sorted(self._machine.doing & self._lives.keys()):
                if lives.get(name) != self._lives[name]:
                    self.happened(Lost(name))
        self.happened(Tick())

    def _next(self) -> float | None:
        """When to wake."""
        when_s = self._machine.next_deadline()
        if when_s is None or self._lives.keys().isdisjoint(self._machine.doing):
            return when_s
        return min(when_s, self._port.bus.loop.time() + LOOK_S)

    # -- what is said ----------------------------------------------------------------------------------------------

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Accept():
                self._award(effect)
            case Reject(bidder, price):
                if self._rejection is None:  # the same for all
                    self._port.bus.hold()
                    self._rejection = rejection(self._call.sequence, price)
                self._tell(bidder, self._rejection)
            case Cancel(bidder):
                self._tell(bidder, Cancellation(call=self._call.sequence))
            case Ended():
                if not self._future.done():
                    self._future.set_result(effect)

    def _award(self, effect: Accept) -> None:
        port = self._port
        hops, trace = self._cause
        bid = effect.ranked.bid
        bidder = bid.bidder
        self._note("awarded", to=bidder, bid=bid.bid, price=effect.ranked.price, within_s=round(effect.timeout_s, 3))
        message = award(self._call.sequence, effect.ranked)
        heard = _Result(self, self._future, bidder, f"{self._name} to {bidder!r}", effect.timeout_s)
        self._hears.append(heard)
        try:
            subject = port.bus.subjects.agent(bidder, full_name(message))
            route = port.route(subject, message, self._reply, hops, alone=False)
            port.ask(route, message, heard, effect.timeout_s, trace)
        except AgentBusError as error:
            self.happened(Fell(bidder, error))

    def _tell(self, bidder: str, message: Message) -> None:
        port = self._port
        hops, trace = self._cause
        with suppress(AgentBusError):  # best effort: who does not hear of it, lets its bid expire
            port.put(port.bus.subjects.agent(bidder, full_name(message)), message, hops, trace)

    def _tick_at(self, when_s: float | None) -> None:
        if when_s == self._when_s:
            return
        self._when_s = when_s
        if self._bucket is not None:
            self._bucket.pop(self, None)
            self._bucket = None
        if when_s is not None:
            self._bucket = self._port.bus.deadlines.add(self, when_s)


class _Bids(Call):
    """The call for proposals, as the node's `Calls` know it."""

    __slots__ = ("_delegation",)

    def __init__(self, delegation: Delegation[Any], future: asyncio.Future[Any], what: str, timeout_s: float) -> None:
        super().__init__(future, what, timeout_s)
        self._delegation = delegation

    def answer(self, kind: str, source: str, payload: bytes) -> None:
        self._delegation.answered(kind, source, payload)

    def nobody(self) -> None:
        self._delegation.happened(Nobody())


class _Result(Call):
    """An award, likewise."""

    __slots__ = ("_bidder", "_delegation")

    def __init__(
        self, delegation: Delegation[Any], future: asyncio.Future[Any], bidder: str, what: str, timeout_s: float
    ) -> None:
        super().__init__(future, what, timeout_s)
        self.of = bidder
        self._delegation = delegation
        self._bidder = bidder

    def answer(self, kind: str, source: str, payload: bytes) -> None:
        self._delegation.performed(self._bidder, kind, payload)

    def fail(self, error: AgentBusError) -> None:
        self._delegation.happened(Fell(self._bidder, error))


def _audience(port: Port, name: str, peers: PeerView, now: float) -> Audience:
    audience = port.bus.audiences.get(name)
    if audience is None:
        audience = port.bus.audiences[name] = Audience()
    if not now - audience.looked_s < LOOK_S:
        audience.look({peer.id.name: peer.id.epoch for peer in peers.alive() if name in peer.answers}, now)
    return audience
