"""What decorators leave behind: frozen specs of behaviors, and the endpoint that an `@rpc` is on its class. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from google.protobuf.message import Message

from .limits import Rate
from .messages import full_name
from .subjects import ALL

if TYPE_CHECKING:
    from .middleware import Middleware
    from .policies import Strategy

Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)

Overflow = Literal["reject", "drop_oldest", "block"]
Unsigned = Literal["refuse", "allow"]
MAILBOX = 65536
"""Messages that a behavior's mailbox holds unless it says otherwise: one read of a socket brings thousands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """When a failed durable event is tried again: ``min(max_s, first_s * factor ** (attempt - 1))`` seconds later."""

    first_s: float = 0.2
    factor: float = 2.0
    max_s: float = 30.0

    def delay_s(self, attempt: int) -> float:
        """Seconds to wait after attempt number `attempt`, from 1."""
        return min(self.max_s, self.first_s * self.factor ** min(attempt - 1, 64))


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What every behavior that takes messages has.

    Attributes:
        name: the method's name.
        type: the message type it takes.
        concurrency: messages handled at once; 1 keeps their order.
        mailbox: messages that may wait.
        overflow: what happens to one more.
        middleware: wrapped round the handler, the first outermost.
        rate: what each sender may send to it; None: what the node's limits say.
        unsigned: what happens to what no agent has signed, on a node whose frames are signed.
    """

    name: str
    type: type[Message]
    concurrency: int = 1
    mailbox: int = MAILBOX
    overflow: Overflow = "reject"
    middleware: tuple[Middleware, ...] = ()
    rate: Rate | None = None
    unsigned: Unsigned = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class OnSpec(Spec):
    """`@on`: hears events of a type.

    Attributes:
        topic: the topic pattern; `ALL` also hears events without a topic.
        queue: competing consumers' group, if any.
        durable: the durable consumer's name; then it hears durable events, and those only.
        max_deliver: attempts before a durable event is dead-lettered.
        ack_wait_s: seconds of silence after which a durable event is given to another.
        backoff: when a failed durable event is tried again.
    """

    topic: str = ALL
    queue: str | None = None
    durable: str | None = None
    max_deliver: int = 5
    ack_wait_s: float = 30.0
    backoff: Backoff = field(default_factory=Backoff)


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcSpec(Spec):
    """`@rpc`: answers requests of a type.

    Attributes:
        reply: the type it answers with.
        approval: what a person has to say yes to before a request is handled; empty for nothing.
    """

    reply: type[Message]
    approval: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySpec(RpcSpec):
    """`@cooperative`, `@competitive`, `@hybrid`: answers requests of a type, and calls for proposals for it.

    Attributes:
        weight: 0 to 1, or a function of the job.
        strategy: what to bid at the weight 1.
        shares: whether it shares what it knows with its team; None: by the weight.
        cost: the name of the method that says what a job costs.
    """

    weight: float | Callable[[Any], float]
    strategy: Strategy
    shares: bool | None = None
    cost: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EverySpec:
    """`@every`: acts on time.

    Attributes:
        period_s: seconds from tick to tick; a tick that takes longer delays the next, ticks never pile up.
        jitter: the share of the period by which each tick is moved at random, 0 to 1.
        immediately: the first tick comes at the start, not a period later.
    """

    name: str
    period_s: float
    jitter: float = 0.0
    immediately: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleSpec:
    """`@on_start` and `@on_stop`."""

    name: str
    when: Literal["start", "stop"]


AnySpec = OnSpec | RpcSpec | EverySpec | LifecycleSpec


@dataclass(frozen=True, slots=True)
class Behaviors:
    """What one agent class does."""

    on: tuple[OnSpec, ...] = ()
    rpc: tuple[RpcSpec, ...] = ()
    every: tuple[EverySpec, ...] = ()
    start: tuple[LifecycleSpec, ...] = ()
    stop: tuple[LifecycleSpec, ...] = ()


class Endpoint(Generic[Q, R]):
    """What an `@rpc` is on the class: the pair of types, without an agent. Give it to `request` and `gather`."""

    __slots__ = ("name", "reply", "request")

    def __init__(self, name: str, request: type[Q], reply: type[R]) -> None:
        self.name = name
        self.request = request
        self.reply = reply

    def __repr__(self) -> str:
        return f"Endpoint({self.name}: {full_name(self.request)} -> {full_name(self.reply)})"
