"""Decorators that mark what an agent does. Pure; the specs they leave are in `specs`.

A decorator checks what it is put on and stores a spec; it changes nothing and starts nothing. What is wrong fails
when the module is imported, with a `DefinitionError` that says what to write instead. `specs_of` collects what a
class has, inherited behaviors included; a method that is overridden without a decorator is no behavior any more.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast, overload

from google.protobuf.message import Message

from .errors import DefinitionError, SubjectError
from .limits import Rate
from .messages import full_name, is_message_type
from .specs import (
    MAILBOX,
    AnySpec,
    Backoff,
    Behaviors,
    Endpoint,
    EverySpec,
    LifecycleSpec,
    OnSpec,
    Overflow,
    PolicySpec,
    RpcSpec,
    Unsigned,
)
from .subjects import ALL, check_name, check_topic

if TYPE_CHECKING:
    from .context import Context
    from .middleware import Middleware

A = TypeVar("A")
T = TypeVar("T", bound=Message)
Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)

Hear = Callable[[A, T, "Context"], Coroutine[Any, Any, None]]
Answer = Callable[[A, Q, "Context"], Coroutine[Any, Any, R]]
Tick = Callable[[A, "Context"], Coroutine[Any, Any, None]]

_MARK = "__agentbus__"


class Rpc(Generic[Q, R]):
    """The descriptor that `@rpc` leaves in the class: `Endpoint` on the class, the bound method on an instance."""

    def __init__(self, function: Answer[Any, Q, R], spec: RpcSpec, request: type[Q], reply: type[R]) -> None:
        self.spec = spec
        self.endpoint: Endpoint[Q, R] = Endpoint(function.__qualname__, request, reply)
        self._function = function
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__

    @overload
    def __get__(self, obj: None, owner: type) -> Endpoint[Q, R]: ...
    @overload
    def __get__(self, obj: object, owner: type) -> Callable[[Q, Context], Coroutine[Any, Any, R]]: ...
    def __get__(self, obj: object, owner: type) -> Any:
        if obj is None:
            return self.endpoint
        return self._function.__get__(obj, owner)


def on(
    kind: type[T],
    *,
    topic: str = ALL,
    queue: str | None = None,
    durable: str | None = None,
    concurrency: int = 1,
    mailbox: int = MAILBOX,
    overflow: Overflow | None = None,
    max_deliver: int = 5,
    ack_wait_s: float = 30.0,
    backoff: Backoff | None = None,
    middleware: tuple[Middleware, ...] = (),
    rate: Rate | None = None,
    unsigned: Unsigned = "refuse",
) -> Callable[[Hear[A, T]], Hear[A, T]]:
    """Marks a method that hears events: ``async def name(self, message, ctx)``.

    Args:
        kind: the protobuf type.
        topic: a pattern of topics; left out, every topic and none. A token ``{node}`` or ``{agent}`` stands for the
            name of the node or agent that hosts the behavior.
        queue: members of one group share the events, each gets its own.
        durable: the name of a durable consumer: at least once, in the order of the stream, shared by all who use
            the name. Hears events published with ``durable=True``, and those only.
        concurrency: events handled at once.
        mailbox: events that may wait.
        overflow: ``"reject"`` or ``"drop_oldest"``; for durable ones always ``"block"``.
        max_deliver: attempts at a durable event before it is dead-lettered.
        ack_wait_s: seconds without a sign of life after which a durable event is given to another.
        backoff: when a failed durable event is tried again.
        middleware: wrapped round this handler.
        rate: what each sender may send to it at most; in place of the node's `Limits.per_sender`.
        unsigned: on a node whose frames are signed, ``"allow"`` also what foreign clients send, whom nobody vouches
            for; `Context.sender` is empty then.

    Raises:
        DefinitionError: anything that cannot work.
    """

    def mark(function: Hear[A, T]) -> Hear[A, T]:
        where = _check_method(function, "on", 2, "async def name(self, message, ctx) -> None")
        _check_type(kind, f"@on at {where}")
        policy: Overflow = overflow or ("reject" if durable is None else "block")
        if policy not in ("reject", "drop_oldest", "block"):
            raise DefinitionError(f"@on at {where}: overflow={policy!r}: use 'reject' or 'drop_oldest'")
        if (policy == "block") != (durable is not None):
            raise DefinitionError(
                f"@on at {where}: overflow={policy!r} with durable={durable!r}: a durable behavior blocks, a live one "
                "rejects or drops the oldest"
            )
        if durable is not None and rate is not None:
            raise DefinitionError(f"@on at {where}: durable events are fetched, not sent: leave rate= out")
        if durable is not None and queue is not None:
            raise DefinitionError(f"@on at {where}: a durable behavior is shared by its name: leave queue= out")
        try:
            check_topic(topic, pattern=True)
            for label, value in (("queue", queue), ("durable", durable)):
                if value is not None:
                    check_name(value, label)
        except SubjectError as error:
            raise DefinitionError(f"@on at {where}: {error}") from None
        _check_unsigned(where, "on", unsigned)
        _check_counts(where, "on", concurrency=concurrency, mailbox=mailbox, max_deliver=max_deliver)
        _check_positive(where, "on", ack_wait_s=ack_wait_s)
        spec = OnSpec(
            name=function.__name__,
            type=kind,
            concurrency=concurrency,
            mailbox=mailbox,
            overflow=policy,
            middleware=tuple(middleware),
            rate=rate,
            unsigned=unsigned,
            topic=topic,
            queue=queue,
            durable=durable,
            max_deliver=max_deliver,
            ack_wait_s=ack_wait_s,
            backoff=backoff or Backoff(),
        )
        _add(function, spec)
        return function

    return mark


def rpc(
    request: type[Q],
    reply: type[R],
    *,
    concurrency: int = 1,
    mailbox: int = MAILBOX,
    overflow: Literal["reject", "drop_oldest"] = "reject",
    middleware: tuple[Middleware, ...] = (),
    rate: Rate | None = None,
    unsigned: Unsigned = "refuse",
    approval: str = "",
) -> Callable[[Answer[A, Q, R]], Rpc[Q, R]]:
    """Marks a method that answers requests: ``async def name(self, request, ctx) -> Reply``.

    Args:
        request: the type it takes.
        reply: the type it returns.
        concurrency: requests handled at once.
        mailbox: requests that may wait; the requester of one more gets `Busy`.
        overflow: ``"reject"`` the new one, or ``"drop_oldest"``: the one that waited longest gets `Busy`.
        middleware: wrapped round this handler.
        rate: what each sender may send to it at most; in place of the node's `Limits.per_sender`.
        unsigned: on a node whose frames are signed, ``"allow"`` also what foreign clients send, whom nobody vouches
            for; `Context.sender` is empty then.
        approval: a name, ``"payments"`` say: each request waits until a person who may approve that has said yes. The
            node has to host `agentbus.security.approvals.Approvals`.

    Raises:
        DefinitionError: anything that cannot work.
    """

    def mark(function: Answer[A, Q, R]) -> Rpc[Q, R]:
        where = _check_method(function, "rpc", 2, "async def name(self, request, ctx) -> Reply")
        if hasattr(function, _MARK):
            raise DefinitionError(f"@rpc at {where}: it is an @on already: write two methods")
        _check_type(request, f"@rpc at {where}")
        _check_type(reply, f"@rpc at {where}")
        if overflow not in ("reject", "drop_oldest"):
            raise DefinitionError(f"@rpc at {where}: overflow={overflow!r}: use 'reject' or 'drop_oldest'")
        _check_unsigned(where, "rpc", unsigned)
        _check_counts(where, "rpc", concurrency=concurrency, mailbox=mailbox)
        if approval:
            _check_approval(where, approval)
        spec = RpcSpec(
            name=function.__name__,
            type=request,
            reply=reply,
            concurrency=concurrency,
            mailbox=mailbox,
            overflow=overflow,
            middleware=tuple(middleware),
            rate=rate,
            unsigned=unsigned,
            approval=approval,
        )
        return Rpc(function, spec, request, reply)

    return mark


def every(period_s: float, *, jitter: float = 0.0, immediately: bool = False) -> Callable[[Tick[A]], Tick[A]]:
    """Marks a method that acts on time: ``async def name(self, ctx)``.

    Args:
        period_s: seconds.
        jitter: 0 to 1; the share of the period by which each tick is moved at random.
        immediately: tick at the start, too.

    Raises:
        DefinitionError: anything that cannot work.
    """

    def mark(function: Tick[A]) -> Tick[A]:
        where = _check_method(function, "every", 1, "async def name(self, ctx) -> None")
        _check_positive(where, "every", period_s=period_s)
        if not 0.0 <= jitter <= 1.0:
            raise DefinitionError(f"@every at {where}: jitter={jitter!r}: use a share of the period, 0 to 1")
        spec = EverySpec(name=function.__name__, period_s=float(period_s), jitter=jitter, immediately=immediately)
        _add(function, spec)
        return function

    return mark


def on_start(function: Tick[A]) -> Tick[A]:
    """Marks a method that runs when the agent starts, before any message: ``async def name(self, ctx)``."""
    _check_method(function, "on_start", 1, "async def name(self, ctx) -> None")
    _add(function, LifecycleSpec(name=function.__name__, when="start"))
    return function


def on_stop(function: Tick[A]) -> Tick[A]:
    """Marks a method that runs when the agent stops, after its last message: ``async def name(self, ctx)``."""
    _check_method(function, "on_stop", 1, "async def name(self, ctx) -> None")
    _add(function, LifecycleSpec(name=function.__name__, when="stop"))
    return function


def specs_of(cls: type) -> Behaviors:
    """The behaviors of a class, base classes' first. Raises `DefinitionError` for two `@rpc` of one request type."""
    names: dict[str, None] = {}
    for base in reversed(cls.__mro__):
        names.update(dict.fromkeys(vars(base)))
    found: list[AnySpec] = []
    for name in names:
        found.extend(_specs_in(cls, inspect.getattr_static(cls, name)))
    rpcs = tuple(spec for spec in found if isinstance(spec, RpcSpec))
    _check_one_answer(cls, rpcs)
    lifecycle = [spec for spec in found if isinstance(spec, LifecycleSpec)]
    return Behaviors(
        on=tuple(spec for spec in found if isinstance(spec, OnSpec)),
        rpc=rpcs,
        every=tuple(spec for spec in found if isinstance(spec, EverySpec)),
        start=tuple(spec for spec in lifecycle if spec.when == "start"),
        stop=tuple(spec for spec in lifecycle if spec.when == "stop"),
    )


def _specs_in(cls: type, member: object) -> tuple[AnySpec, ...]:
    if isinstance(member, Rpc):
        specs: tuple[AnySpec, ...] = (cast("Rpc[Any, Any]", member).spec,)
    else:
        specs = getattr(getattr(member, "__func__", member), _MARK, ())
    for spec in specs:
        if isinstance(member, staticmethod | classmethod):
            raise DefinitionError(f"{cls.__qualname__}: {spec.name!r} is static: write `async def name(self, ...)`")
        if isinstance(spec, PolicySpec) and not spec.cost:
            raise DefinitionError(
                f"{cls.__qualname__}: {spec.name!r} bids without a cost: mark a method with `@{spec.name}.cost`"
            )
        if spec.name.startswith("__") and not spec.name.endswith("__"):
            raise DefinitionError(
                f"{cls.__qualname__}: {spec.name!r} begins with two underscores, so Python renames it: use one"
            )
    return specs


def _check_one_answer(cls: type, rpcs: tuple[RpcSpec, ...]) -> None:
    answers: dict[type[Message], str] = {}
    for spec in rpcs:
        other = answers.setdefault(spec.type, spec.name)
        if other != spec.name:
            raise DefinitionError(
                f"{cls.__qualname__}: both {other!r} and {spec.name!r} are @rpc for {full_name(spec.type)}: "
                "an agent answers a type once; give one of them a type of its own"
            )


def _add(function: Any, spec: AnySpec) -> None:
    setattr(function, _MARK, (*getattr(function, _MARK, ()), spec))


def _check_method(function: Any, decorator: str, arguments: int, write: str) -> str:
    name = getattr(function, "__qualname__", repr(function))
    if isinstance(function, Rpc):
        raise DefinitionError(f"@{decorator} at {function.__name__}: it is an @rpc already: write two methods")
    if not inspect.iscoroutinefunction(function):
        raise DefinitionError(f"@{decorator} at {name}: not a coroutine: write `{write}`")
    signature = inspect.signature(function)
    try:
        signature.bind(*range(arguments + 1))
    except TypeError:
        raise DefinitionError(
            f"@{decorator} at {name}: takes ({', '.join(signature.parameters)}): write `{write}`"
        ) from None
    return name


def _check_type(kind: object, where: str) -> None:
    if not is_message_type(kind):
        raise DefinitionError(
            f"{where}: {kind!r} is not a protobuf message class: give a class generated from a .proto file "
            "(`agentbus proto FOLDER` makes them)"
        )


def _check_unsigned(where: str, decorator: str, unsigned: object) -> None:
    if unsigned not in ("refuse", "allow"):
        raise DefinitionError(f"@{decorator} at {where}: unsigned={unsigned!r}: use 'refuse' or 'allow'")


def _check_approval(where: str, approval: object) -> None:
    try:
        if not isinstance(approval, str):
            raise SubjectError(f"approval={approval!r}: give it a name, 'payments' say")
        check_name(approval, "approval")
    except SubjectError as error:
        raise DefinitionError(f"@rpc at {where}: {error}") from None


def _check_counts(where: str, decorator: str, **values: object) -> None:
    for name, value in values.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise DefinitionError(f"@{decorator} at {where}: {name}={value!r}: use a whole number from 1")


def _check_positive(where: str, decorator: str, **values: object) -> None:
    for name, value in values.items():
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < float("inf"):
            raise DefinitionError(f"@{decorator} at {where}: {name}={value!r}: use a number of seconds above 0")
