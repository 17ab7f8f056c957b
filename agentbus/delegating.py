"""Delegating a job: the contract net's buyer at work. `negotiation` decides; here its words are said and heard.

What comes is handled where it comes, in the transport's call, so that a job takes one turn of the event loop for each
step of its exchange: the last bid is followed by the award, the result by the rejections.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar, cast

from google.protobuf.message import DecodeError, Message
from structlog.typing import FilteringBoundLogger

from .audiences import LOOK_S, Audience
from .awards import AwardRule, Ranked
from .calls import Call, parse_reply
from .deadlines import Bucket
from .deals import Deal, Winner
from .decisions import JobKey, job_id
from .errors import AgentBusError, Busy, InvalidBid, SchemaMismatch, SubjectError
from .limits import BROKEN, KEPT
from .messages import FAILURE_TYPE, as_error, full_name
from .negotiation import (
    Accept,
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
from .proposals import (
    CANCELLATION,
    PROPOSAL,
    SUBCONTRACTED,
    Award,
    Cancellation,
    Subcontracted,
    award,
    bid_of,
    call,
    rejection,
)
from .subjects import check_name

R = TypeVar("R", bound=Message)

_AWARDED = ("to", "bid", "price", "within_s")
_DONE = ("type", "value", "winner", "by", "price", "payment")
_NOT_DONE = ("type", "value", "refused", "failed", "reason")
"""What is noted of each decision."""

WINDOW_S = 0.5
"""How long bids may take unless the buyer says otherwise, seconds: what it costs where nobody is known to bid."""


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
        "_closed",
        "_ended",
        "_expected",
        "_hears",
        "_job",
        "_lives",
        "_log",
        "_machine",
        "_name",
        "_peers",
        "_port",
        "_rejected",
        "_reply",
        "_reply_name",
        "_results",
        "_subcontracts",
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
        self._hears: list[Call] = [self]
        self._results: dict[str, R] = {}
        self._rejected: Reject | None = None
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
            message = call(serialize(self._job), self._terms, self._reply_name)
            route = port.route_of_calls(self._job, message, Award, hops)
            self._tick_at(machine.next_deadline())
            port.ask(route, message, self, self.timeout_s, trace)
            ended = await self._ended
            winners = tuple(map(self._winner, ended.winners))
            self._note_end(ended, winners)
        finally:
            if machine.phase != "bidding":  # else it was cancelled or never sent, and says nothing about who is silent
                self._audience.missed(self._expected - machine.answered)
            if machine.phase != "ended":  # it was cancelled here, or the call could not be sent
                self.happened(Withdrawn())
            self._tick_at(None)
            for heard in self._hears:
                port.bus.calls.remove(heard)
            self._hears.clear()  # of itself, too: a job that is over is nobody's garbage to look for
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
        return self._port.source, self._port.bus.epoch, self.sequence

    def _note(self, what: str, names: tuple[str, ...], values: tuple[object, ...]) -> None:
        port = self._port
        port.bus.decisions.note(self._log, self.key, port.source, what, names, values)

    def _note_end(self, ended: Ended, winners: tuple[Winner[R], ...]) -> None:
        machine = self._machine
        watcher = self._port.bus.watcher
        if watcher is not None:
            for winner in winners:
                watcher.saw(winner.agent, KEPT)
            for name, why in machine.failures.items():
                if not isinstance(why, Busy):  # which is no fault, and was said in time
                    watcher.saw(name, BROKEN)
        name, value = self._name, self._terms.value
        if ended.error is not None:
            facts = (name, value, len(machine.refusals), len(machine.failures), ended.error)
            self._note("not done", _NOT_DONE, facts)
            return
        for winner in winners:
            by = winner.by if winner.by != winner.agent else None
            self._note("done", _DONE, (name, value, winner.agent, by, winner.price, winner.payment))

    # -- what is heard ---------------------------------------------------------------------------------------------

    def happened(self, event: Event) -> None:
        """Tells the machine, and does what follows."""
        machine, todo = self._machine, self._todo
        effects = machine.handle(event, self._time())
        if effects:
            todo.extend(effects)
        if todo and not self._busy:  # else it happened while an effect was carried out, and its own come after that
            self._busy = True
            while todo:
                self._carry_out(todo.popleft())
            self._busy = False
            self._tick_at(self._next())
            if self._closed is not None and machine.phase != "bidding":
                self._closed()
                self._closed = None

    def answer(self, kind: str, source: str, payload: bytes) -> None:
        """A bid, or a refusal."""
        if source not in self._audience.known:
            try:
                check_name(source, "agent")
            except SubjectError:
                return
            self._audience.heard(source)
        if kind == PROPOSAL:
            try:
                bid = bid_of(source, payload)
            except DecodeError as error:
                self.happened(Declined(source, SchemaMismatch(f"the bid can't be read: {error}")))
            else:
                self.happened(Proposed(bid))
        elif kind == FAILURE_TYPE:
            self.happened(Declined(source, as_error(payload)))
        else:
            self.happened(Declined(source, SchemaMismatch(f"the bid can't be read: a {kind} is no bid")))

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

    def nobody(self) -> None:
        """Nobody hears calls for this type."""
        self.happened(Nobody())

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
        self._tick_at(self._next())

    def _next(self) -> float | None:
        """When to wake."""
        when_s = self._machine.next_deadline()
        if when_s is None or not self._lives or self._lives.keys().isdisjoint(self._machine.doing):
            return when_s
        return min(when_s, self._port.bus.loop.time() + LOOK_S)

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
        bid = effect.ranked.bid
        bidder = bid.bidder
        self._note("awarded", _AWARDED, (bidder, bid.bid, effect.ranked.price, round(effect.timeout_s, 3)))
        message = award(self.sequence, effect.ranked)
        heard = _Result(self, self.future, bidder, f"{self._name} to {bidder!r}", effect.timeout_s)
        self._hears.append(heard)
        try:
            route = port.route_to(message, self._reply, bidder, hops)
            port.ask(route, message, heard, effect.timeout_s, trace)
        except AgentBusError as error:
            self.happened(Fell(bidder, error))

    def _tell(self, subject: str, message: Message) -> None:
        hops, trace = self._cause
        with suppress(AgentBusError):  # best effort: who does not hear of it, lets its bid expire
            self._port.put(subject, message, hops, trace)

    def _tick_at(self, when_s: float | None) -> None:
        """Wakes then, or before: who is woken too soon looks again."""
        if self._when_s is not None and when_s is not None and self._when_s <= when_s:
            return
        if self._bucket is not None:
            self._bucket.pop(self, None)
        self._when_s = when_s
        self._bucket = self._port.bus.deadlines.add(self, when_s) if when_s is not None else None


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
