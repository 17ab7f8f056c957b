"""Delegating a job: the contract net's buyer at work. `negotiation` decides; here its words are said and heard.

What comes is handled where it comes, in the transport's call, so that a job takes one turn of the event loop for each
step of its exchange: the last bid is followed by the award, the result by the rejections.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from google.protobuf.message import DecodeError, Message
from structlog.typing import FilteringBoundLogger

from .awards import AwardRule
from .calls import Call, parse_reply
from .deadlines import Bucket
from .errors import AgentBusError, SchemaMismatch, SubjectError
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
    Negotiation,
    Nobody,
    Performed,
    Proposed,
    Reject,
    Terms,
    Tick,
    Withdrawn,
)
from .peers import PeerView
from .port import Port, serialize
from .proposals import CANCELLATION, PROPOSAL, Award, Cancellation, award, bid_of, call, rejection
from .subjects import check_name

R = TypeVar("R", bound=Message)

WINDOW_S = 0.5
"""How long bids may take unless the buyer says otherwise, seconds: what it costs where nobody is known to bid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Winner(Generic[R]):
    """Who did a job.

    Attributes:
        agent: its name.
        bid: what it asked for.
        price: by the award rule.
        payment: what it is to get, by the weight of its policy.
        result: what it returned.
    """

    agent: str
    bid: float
    price: float
    payment: float
    result: R


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal(Generic[R]):
    """How a job was done.

    Attributes:
        winners: who did it, the best bid first: one, unless the award rule was `every`.
        bidders: how many answered.
        refusals: whose answer was no bid that counts, and why.
        failures: which winners failed before it was done, and how.
    """

    winners: tuple[Winner[R], ...]
    bidders: int
    refusals: Mapping[str, AgentBusError] = field(default_factory=dict[str, AgentBusError])
    failures: Mapping[str, AgentBusError] = field(default_factory=dict[str, AgentBusError])

    @property
    def result(self) -> R:
        """What the best of the winners returned."""
        return self.winners[0].result


class Delegation(Call, Generic[R]):
    """One job on its way. To the node's `Calls` it is the call for proposals.

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
        "_cause",
        "_ended",
        "_expected",
        "_hears",
        "_job",
        "_log",
        "_machine",
        "_name",
        "_port",
        "_rejected",
        "_reply",
        "_reply_name",
        "_results",
        "_terms",
        "_time",
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
        loop = port.bus.loop
        self._time = loop.time
        now = loop.time()
        name = full_name(job)
        self._ended: asyncio.Future[Ended] = loop.create_future()
        super().__init__(cast("asyncio.Future[Any]", self._ended), f"{name} to whoever bids for it", deadline_s)
        self._port = port
        self._job = job
        self._name = name
        self._reply = reply
        self._reply_name = full_name(reply)
        self._terms = terms
        self._log = log
        self._cause = cause
        self._audience = _audience(port, self._name, peers, now)
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
        self._hears: list[Call] = [self]
        self._results: dict[str, R] = {}
        self._rejected: Reject | None = None
        self._todo: deque[Effect] = deque()
        self._busy = False
        self._bucket: Bucket | None = None
        self._when_s: float | None = None

    async def run(self) -> Deal[R]:
        """Has the job done. Raises what `Speaker.negotiate` does."""
        port, machine = self._port, self._machine
        hops, trace = self._cause
        try:
            message = call(serialize(self._job), self._terms)
            subject = port.bus.subjects.call(self._name)
            route = port.route(subject, message, Award, hops, alone=False)
            self._tick_at(machine.next_deadline())
            port.ask(route, message, self, self.timeout_s, trace)
            ended = await self._ended
            self._tell_log(ended)
        finally:
            if machine.phase != "ended":  # it was cancelled here, or the call could not be sent
                self.happened(Withdrawn())
            self._tick_at(None)
            for heard in self._hears:
                port.bus.calls.remove(heard)
            self._hears.clear()  # of itself, too: a job that is over is nobody's garbage to look for
            self._audience.missed(self._expected - machine.answered)
        if ended.error is not None:
            raise ended.error
        winners = tuple(
            Winner(
                agent=(name := ranked.bid.bidder),
                bid=ranked.bid.bid,
                price=ranked.price,
                payment=ranked.payment,
                result=self._results[name],
            )
            for ranked in ended.winners
        )
        return Deal(
            winners=winners, bidders=len(machine.answered), refusals=machine.refusals, failures=machine.failures
        )

    def _tell_log(self, ended: Ended) -> None:
        bus, best = self._port.bus, ended.winners[0] if ended.winners else None
        self._log.debug(
            "job done" if best else "job not done",
            job=f"{self._port.source}:{bus.epoch}:{self.sequence}",
            type=self._name,
            winner=best.bid.bidder if best else None,
            bid=best.bid.bid if best else None,
            price=best.price if best else None,
            refused=len(self._machine.refusals),
            failed=sorted(self._machine.failures),
            reason=str(ended.error or ""),
        )

    # -- what is heard ---------------------------------------------------------------------------------------------

    def happened(self, event: Event) -> None:
        """Tells the machine, and does what follows."""
        machine, todo = self._machine, self._todo
        todo.extend(machine.handle(event, self._time()))
        if self._busy:
            return  # it happened while an effect was carried out, and its own come after that
        if todo:
            self._busy = True
            while todo:
                self._carry_out(todo.popleft())
            self._busy = False
            self._tick_at(machine.next_deadline())

    def answer(self, kind: str, source: str, payload: bytes) -> None:
        """A bid, or a refusal."""
        if not self._audience.knows(source):
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
            self._results[bidder] = parse_reply(self._reply, self._reply_name, kind, payload)
        except SchemaMismatch as error:
            self.happened(Fell(bidder, error))
        else:
            self.happened(Performed(bidder))

    def nobody(self) -> None:
        """Nobody hears calls for this type."""
        self.happened(Nobody())

    def expire(self) -> None:
        """The machine's time has come."""
        self._bucket = self._when_s = None
        self.happened(Tick())
        self._tick_at(self._machine.next_deadline())

    # -- what is said ----------------------------------------------------------------------------------------------

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Accept():
                self._award(effect)
            case Reject():
                self._rejected = effect
            case Cancel(bidder):
                self._tell(self._port.bus.subjects.agent(bidder, CANCELLATION), Cancellation(call=self.sequence))
            case Ended():
                if not self._ended.done():
                    self._ended.set_result(effect)
                if self._rejected is not None:  # after the result: what its caller says next goes with the same write
                    self._port.bus.hold()
                    subject = self._port.bus.subjects.closed(self._name)
                    self._tell(subject, rejection(self.sequence, self._rejected.price))

    def _award(self, effect: Accept) -> None:
        port = self._port
        hops, trace = self._cause
        bidder = effect.ranked.bid.bidder
        message = award(self.sequence, effect.ranked)
        heard = _Result(self, self.future, bidder, f"{self._name} to {bidder!r}", effect.timeout_s)
        self._hears.append(heard)
        try:
            subject = port.bus.subjects.agent(bidder, full_name(message))
            route = port.route(subject, message, self._reply, hops, alone=False)
            port.ask(route, message, heard, effect.timeout_s, trace)
        except AgentBusError as error:
            self.happened(Fell(bidder, error))

    def _tell(self, subject: str, message: Message) -> None:
        hops, trace = self._cause
        with suppress(AgentBusError):  # best effort: who does not hear of it, lets its bid expire
            self._port.put(subject, message, hops, trace)

    def _tick_at(self, when_s: float | None) -> None:
        if when_s == self._when_s:
            return
        self._when_s = when_s
        if self._bucket is not None:
            self._bucket.pop(self, None)
            self._bucket = None
        if when_s is not None:
            self._bucket = self._port.bus.deadlines.add(self, when_s)


class _Result(Call):
    """An award, likewise."""

    __slots__ = ("_bidder", "_delegation")

    def __init__(
        self, delegation: Delegation[Any], future: asyncio.Future[Any], bidder: str, what: str, timeout_s: float
    ) -> None:
        super().__init__(future, what, timeout_s)
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
