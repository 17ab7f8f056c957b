"""Publish, send, request, gather: the verbs that a context and a node share.

A `Speaker` has a port and knows what its words are caused by (hops, trace, deadline); the verbs are the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Coroutine
from math import inf, isfinite
from typing import Any, TypeVar, cast, overload

from google.protobuf.message import Message
from structlog.typing import FilteringBoundLogger

from .awards import AwardRule, lowest_bid
from .calls import Replies
from .deals import Deal
from .delegating import WINDOW_S, Delegation
from .errors import ConfigurationError, DeadlineExceeded, DefinitionError
from .messages import full_name, is_message_type
from .negotiation import Terms, invalid
from .peers import PeerView
from .port import Port, serialize
from .specs import Endpoint
from .subjects import check_length, check_name, check_subject
from .transport import Stored

Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)

TIMEOUT_S = 5.0
"""How long a request waits unless it says otherwise, seconds."""


class Speaker(ABC):
    """Whoever can speak on the bus."""

    __slots__ = ()

    @abstractmethod
    def _port(self) -> Port:
        """Through which it speaks."""

    @abstractmethod
    def _peers(self) -> PeerView:
        """Who is alive."""

    @abstractmethod
    def _logger(self) -> FilteringBoundLogger:
        """Where its decisions are told."""

    def _cause(self) -> tuple[int, str]:
        """Hops and trace of what is said."""
        return 0, ""

    def _remaining_s(self) -> float | None:
        """Seconds until the deadline of whoever asked, or None."""
        return None

    def _timeout_s(self, asked: float | None) -> float:
        if asked is not None and not isfinite(asked):
            raise ConfigurationError(f"timeout_s={asked!r}: every wait has a deadline: use a number of seconds")
        remaining = self._remaining_s()
        if remaining is None:
            return TIMEOUT_S if asked is None else asked
        return min(TIMEOUT_S if asked is None else asked, remaining)

    async def publish(
        self,
        message: Message,
        *,
        topic: str = "",
        durable: bool = False,
        spread: bool = False,
        plain: bool = False,
        subject: str = "",
        timeout_s: float | None = None,
    ) -> Stored | None:
        """Publishes an event.

        Args:
            message: any protobuf message.
            topic: tokens joined by dots; listeners choose by pattern.
            durable: store it in the realm's stream; returns its place there when it is stored.
            spread: in a frame of its own, so that a queue group shares a burst message by message.
            plain: as plain protobuf, for clients that know nothing of frames; with `subject`.
            subject: any NATS subject; only with `plain`.
            timeout_s: seconds to wait for the stream, or for a congested wire.

        Raises:
            NotConnected: no link now; nothing was buffered.
            StorageFailed: the stream did not acknowledge in time (durable only).
            PayloadTooLarge, HopLimitExceeded, SubjectError, SchemaMismatch.
        """
        port = self._port()
        hops, trace = self._cause()
        if not (durable or spread or plain or subject):
            if port.post(message, topic, hops, trace):
                await port.bus.transport.writable(timeout_s=self._timeout_s(timeout_s))
            return None
        if plain or subject:
            if not (plain and subject) or durable or topic:
                raise ConfigurationError("publish: plain=True and subject= go together, without topic= or durable=")
            port.bus.transport.send(check_subject(subject), serialize(message))
            return None
        subjects = port.bus.subjects
        name = full_name(message)
        if durable:
            where = subjects.durable(name, topic)
            return await port.store(where, message, hops, trace, self._timeout_s(timeout_s))
        port.put_alone(subjects.event(name, topic), message, hops, trace)
        if port.bus.transport.congested:
            await port.bus.transport.writable(timeout_s=self._timeout_s(timeout_s))
        return None

    async def send(self, message: Message, *, to: str) -> None:
        """Sends an event to one agent, by name: its `@on` for the type hears it. At most once, no reply.

        Raises:
            NotConnected, PayloadTooLarge, HopLimitExceeded, SubjectError.
        """
        port = self._port()
        hops, trace = self._cause()
        if port.put(port.bus.subjects.agent(to, full_name(message)), message, hops, trace):
            await port.bus.transport.writable(timeout_s=self._timeout_s(None))

    @overload
    async def request(
        self,
        what: Message,
        reply: type[R],
        *,
        to: str | None = None,
        timeout_s: float | None = None,
        plain: bool = False,
        subject: str = "",
    ) -> R: ...
    @overload
    async def request(
        self, what: Endpoint[Q, R], reply: Q, *, to: str | None = None, timeout_s: float | None = None
    ) -> R: ...
    def request(
        self,
        what: Any,
        reply: Any,
        *,
        to: str | None = None,
        timeout_s: float | None = None,
        plain: bool = False,
        subject: str = "",
    ) -> Coroutine[Any, Any, Any]:
        """Asks one agent and returns its answer: ``request(message, ReplyType)`` or ``request(Agent.method, message)``.

        Args:
            to: the agent's name; None for any agent that answers the type.
            timeout_s: seconds; at most what remains of the caller's own deadline, 5 unless said.
            plain: as plain protobuf, for an agent that knows nothing of frames; with `subject`.
            subject: any NATS subject; only with `plain`.

        Raises:
            NoResponders, DeadlineExceeded, Busy, Refused, HandlerFailed, SchemaMismatch, PayloadTooLarge,
            NotConnected, HopLimitExceeded, Closed.
        """
        port = self._port()
        hops, trace = self._cause()
        if plain or subject:
            if not (plain and subject) or to is not None:
                raise ConfigurationError("request: plain=True and subject= go together, without to=")
            message, kind = _pair(what, reply)
            return port.request_plain(check_subject(subject), message, kind, self._timeout_s(timeout_s))
        try:
            message, route = what, port.routes[what.__class__, reply, to, hops]
        except (KeyError, TypeError):  # the pair of an endpoint and a message is not hashable
            message, kind = _pair(what, reply)
            route = port.route_to(message, kind, to, hops)
        return port.request(route, message, self._timeout_s(timeout_s), trace)

    @overload
    async def gather(
        self,
        what: Message,
        reply: type[R],
        *,
        timeout_s: float | None = None,
        at_least: int = 0,
        at_most: int | None = None,
    ) -> Replies[R]: ...
    @overload
    async def gather(
        self,
        what: Endpoint[Q, R],
        reply: Q,
        *,
        timeout_s: float | None = None,
        at_least: int = 0,
        at_most: int | None = None,
    ) -> Replies[R]: ...
    async def gather(
        self,
        what: Any,
        reply: Any,
        *,
        timeout_s: float | None = None,
        at_least: int = 0,
        at_most: int | None = None,
    ) -> Replies[Any]:
        """Asks every agent that answers the type; ends when `at_most` have answered or the time is over.

        Returns:
            The answers as they came, `Reply(sender, message)`; who failed is in ``.failures``.

        Raises:
            TooFewReplies: fewer than `at_least`; what came is in the error.
            NotConnected, PayloadTooLarge, HopLimitExceeded, Closed.
        """
        message, kind = _pair(what, reply)
        port = self._port()
        hops, trace = self._cause()
        route = port.route(port.bus.subjects.all(full_name(message)), message, kind, hops, alone=True)
        timeout = self._timeout_s(timeout_s)
        return await port.gather(route, message, timeout, trace, at_least=at_least, at_most=at_most)

    async def delegate(
        self,
        job: Message,
        result: type[R],
        *,
        award: AwardRule | None = None,
        value: float | None = None,
        team: str = "",
        deadline_s: float | None = None,
        bid_window_s: float = WINDOW_S,
        patience_s: float | None = None,
    ) -> R:
        """Has a job done by the agent whose policy bids best for it, and returns its result; see `negotiate`."""
        deal = await self.negotiate(
            job,
            result,
            award=award,
            value=value,
            team=team,
            deadline_s=deadline_s,
            bid_window_s=bid_window_s,
            patience_s=patience_s,
        )
        return deal.result

    async def negotiate(
        self,
        job: Message,
        result: type[R],
        *,
        award: AwardRule | None = None,
        value: float | None = None,
        team: str = "",
        deadline_s: float | None = None,
        bid_window_s: float = WINDOW_S,
        patience_s: float | None = None,
    ) -> Deal[R]:
        """Calls for proposals for a job, awards it, and returns how it was done, by whom and at what price.

        Args:
            job: what is to be done: any message that agents have a policy for.
            result: the type that comes back.
            award: who gets it; `lowest_bid()` unless said.
            value: the most that the job is worth, in the units of the bidders' costs.
            team: whom it is for.
            deadline_s: how long all of it may take; 5 s unless said, and never more than what remains of the
                caller's own.
            bid_window_s: how long bids may take; bidding closes sooner when all that are known to bid for the type
                have answered.
            patience_s: how long a winner may be silent while there is another bid; by default half of what is left.

        Raises:
            NoBids: nobody would do it; `refusals` says why.
            AllFailed: each that it was awarded to failed; `failures` says how.
            DeadlineExceeded: the result did not come in time. The work may have been done.
            ConfigurationError, NotConnected, PayloadTooLarge, HopLimitExceeded, SchemaMismatch, Closed.
        """
        full_name(job)  # raises DefinitionError
        if not is_message_type(result):
            raise DefinitionError(f"delegate and negotiate take (message, ResultType), not {result!r} for the second")
        if value is not None and (wrong := invalid("value", value)):
            raise ConfigurationError(str(wrong))
        rule = _rule(lowest_bid() if award is None else award)
        _check_team(team)
        for name, seconds in (("bid_window_s", bid_window_s), ("patience_s", patience_s)):
            if seconds is not None and not 0 < seconds < inf:
                raise ConfigurationError(f"{name}={seconds!r}: use a number of seconds above 0")
        timeout_s = self._timeout_s(deadline_s)
        if timeout_s <= 0:
            raise DeadlineExceeded(f"{full_name(job)}: the caller's deadline has passed")
        return await Delegation(
            self._port(),
            job,
            result,
            rule,
            Terms(value=value, team=team, second_price=rule.second_price),
            self._peers(),
            self._logger(),
            window_s=bid_window_s,
            deadline_s=timeout_s,
            patience_s=patience_s,
            cause=self._cause(),
        ).run()


def _rule(award: object) -> AwardRule:
    if not isinstance(award, AwardRule):
        rules = "lowest_bid(), second_price(), or best(score) or every(n) of agentbus.awards"
        raise ConfigurationError(f"award={award!r}: write an award rule: {rules}")
    return award


def _check_team(team: object) -> None:
    """Raises `SubjectError`, `ConfigurationError`: a team's name is its blackboard's, and so an agent's."""
    if not isinstance(team, str):
        raise ConfigurationError(f"team={team!r}: use a name")
    if team:
        check_name(check_length(team, "the team's name"), "the team's name")


def _pair(what: object, reply: object) -> tuple[Message, type[Message]]:
    if isinstance(what, Endpoint):
        endpoint = cast("Endpoint[Message, Message]", what)
        if not isinstance(reply, endpoint.request):
            raise DefinitionError(
                f"{endpoint.name} takes {full_name(endpoint.request)}, not {type(reply).__name__}: "
                f"write request({endpoint.name}, {endpoint.request.__name__}(...))"
            )
        return reply, endpoint.reply
    if isinstance(what, Message) and is_message_type(reply):
        return what, cast("type[Message]", reply)
    raise DefinitionError(
        f"request and gather take (message, ReplyType) or (Agent.method, message), "
        f"not ({type(what).__name__}, {getattr(reply, '__name__', type(reply).__name__)})"
    )
