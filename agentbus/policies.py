"""Policies: how an agent answers a call for proposals. Pure.

A policy is one number, the weight w: 0 is cooperative, 1 competitive, anything between, or a function of the job,
hybrid. Let c be the agent's own cost of a job, its queue included; v the most the buyer pays; m the margin that its
strategy would add to c, by what it knows; p the price that the award rule makes. Then

* it bids ``b = c + w m``;
* it takes part when ``b <= v`` and ``(1 - w)(v - c) + w (b - c) >= 0``; without a v, at w = 1 when ``b >= c``;
* it is paid ``b + w (p - b)``;
* it shares what it knows with its team as ``shares=`` says, by default when w < 0.5.

The weight is the social value orientation of the literature, at the angle ``atan(1 - w)``: D. Griesinger and
J. Livingston, "Toward a model of interpersonal motivation in experimental games", Behavioral Science 18 (1973);
W. Schwarting et al., "Social behavior for autonomous vehicles", PNAS 116 (2019).

A policy behavior is an `@rpc` that also bids: asked by name, with `request`, it does the job without a bid or a price.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeVar, cast

from google.protobuf.message import Message

from .behaviors import Answer, Rpc, rpc
from .errors import AgentBusError, ConfigurationError, DefinitionError, HandlerFailed, Refused
from .limits import Rate
from .messages import said
from .negotiation import Terms, invalid
from .specs import MAILBOX, PolicySpec, RpcSpec

if TYPE_CHECKING:
    from .middleware import Middleware

A = TypeVar("A")
Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)

REMEMBER = 64
"""Past bids that a policy keeps: a strategy should follow a market that moves."""
FIRST_MARKUP = 0.1
RAISE = 1.05
CATCH_UP = 0.5
"""Of the default strategy, `adaptive`."""

Weight = float | Callable[[Q], float]


class Past(NamedTuple):
    """What became of one bid.

    Attributes:
        cost: of the job, the queue included.
        bid: what was asked.
        won: whether the job was awarded.
        price: what it went for.
        second_price: the price was made of others' bids.
    """

    cost: float
    bid: float
    won: bool
    price: float
    second_price: bool = False


class Strategy(Protocol):
    """What to bid at w = 1: from the cost, the call's terms, and what became of earlier bids, the newest last."""

    def __call__(self, cost: float, terms: Terms, history: Sequence[Past], /) -> float:
        """The bid. Must not block; what it raises refuses the job."""
        ...


def truthful(cost: float, terms: Terms, history: Sequence[Past], /) -> float:
    """The cost itself: the best bid where the price is made of the others' (Vickrey 1961)."""
    return cost


def adaptive(cost: float, terms: Terms, history: Sequence[Past], /) -> float:
    """The default. The truth where the price is made of others' bids; else a markup that grows by a twentieth with each
    job won and goes half of the way to the price with each job lost: the zero-intelligence-plus traders' rule in its
    shortest form (D. Cliff, HP Laboratories report HPL-97-91). Never above the job's value where that allows it."""
    if terms.second_price:
        return cost
    markup = FIRST_MARKUP
    for past in history:
        if past.second_price or past.cost <= 0:
            continue
        if past.won:
            markup *= RAISE
        else:
            markup = max(0.0, markup + CATCH_UP * (past.price / past.cost - 1 - markup))
    bid = cost * (1 + markup)
    return bid if terms.value is None else min(bid, max(cost, terms.value))


class Decision(NamedTuple):
    """What an agent says to a call.

    Attributes:
        own_cost: of the job by itself.
        cost: of the job, the queue included; None when it was not found.
        weight: that was applied; None when it was not found.
        bid: what it asks for, or None.
        refusal: why it doesn't bid, or None.
    """

    own_cost: float = 0.0
    cost: float | None = None
    weight: float | None = None
    bid: float | None = None
    refusal: AgentBusError | None = None


class PolicyState:
    """A policy at work: what can be changed while the agent runs, and what it remembers. It outlives restarts.

    Args:
        spec: the policy as it is written.

    Attributes:
        history: what became of its bids, the newest last; at most `REMEMBER`.
    """

    def __init__(self, spec: PolicySpec) -> None:
        self._spec = spec
        self._weight: Weight[Any] = spec.weight
        self._strategy = spec.strategy
        self.history: deque[Past] = deque(maxlen=REMEMBER)

    @property
    def weight(self) -> Weight[Any]:
        """0 for cooperative to 1 for competitive, or a function of the job. Raises `ConfigurationError` when set to
        what is none of these."""
        return self._weight

    @weight.setter
    def weight(self, weight: Weight[Any]) -> None:
        if not callable(weight) and (wrong := invalid("the weight", weight, 1.0)):
            raise ConfigurationError(str(wrong))
        self._weight = weight

    @property
    def strategy(self) -> Strategy:
        """What it would ask for at the weight 1. Raises `ConfigurationError` when set to what can't be called."""
        return self._strategy

    @strategy.setter
    def strategy(self, strategy: Strategy) -> None:
        if not callable(strategy):
            raise ConfigurationError(f"the strategy is {strategy!r}: give a function of cost, terms and history")
        self._strategy = strategy

    @property
    def shares(self) -> bool:
        """Whether it shares what it knows with its team."""
        if self._spec.shares is not None:
            return self._spec.shares
        return not callable(self._weight) and self._weight < 0.5

    @property
    def word(self) -> str:
        """``cooperative``, ``competitive`` or ``hybrid``, by the weight of this moment, for people."""
        if callable(self._weight):
            return "hybrid by the job"
        return {0.0: "cooperative", 1.0: "competitive"}.get(self._weight, f"hybrid {self._weight:g}")

    def decide(self, job: Message, terms: Terms, own_cost: Callable[[Any], float | None], queue: float) -> Decision:
        """Whether to bid, and what. Never raises an `Exception`.

        Args:
            own_cost: what the job costs by itself; None: the agent can't do it.
            queue: what is to be done before, in the same units.
        """
        name, value = self._spec.name, terms.value
        cost = weight = None
        step = "cost"
        if value is not None and (wrong := invalid("the job's value", value)):
            return Decision(refusal=wrong)
        try:
            own = own_cost(job)
            if own is None:
                return Decision(refusal=Refused("it can't do this job"))
            if wrong := invalid("the cost by", own, None, name):
                return Decision(cost=own, refusal=wrong)
            cost = float(own) + queue
            step = "weight"
            given = self._weight
            weight = given(job) if callable(given) else given  # which was looked at when it was set
            if callable(given) and (wrong := invalid("the weight of", weight, 1.0, name)):
                return Decision(cost=cost, weight=weight, refusal=wrong)
            bid = cost
            if weight:
                step = "strategy"
                bid += weight * (self._strategy(cost, terms, self.history) - cost)
            if wrong := invalid("the bid by the strategy of", bid, None, name):
                return Decision(cost=cost, weight=weight, refusal=wrong)
        except Exception as error:
            failed = HandlerFailed(f"the {step} of {name!r}: {said(error)}", error_type=type(error).__name__)
            failed.__cause__ = error
            return Decision(cost=cost, weight=weight, refusal=failed)
        if (value is not None or weight == 1) and (why := reluctance(cost, bid, weight, value)):
            return Decision(cost=cost, weight=weight, refusal=Refused(why))
        return Decision(float(own), cost, weight, bid)


def reluctance(cost: float, bid: float, weight: float, value: float | None) -> str:
    """Why an agent takes no part with that bid; empty when it does."""
    if value is None:
        worth = bid - cost if weight == 1 else 0.0
    elif bid > value:
        return f"it would ask {bid:g}, more than the job's value {value:g}"
    else:
        worth = (1 - weight) * (value - cost) + weight * (bid - cost)
    return "" if worth >= 0 else f"at cost {cost:g} and bid {bid:g} it is worth {worth:g} to it"


# -- the decorators ----------------------------------------------------------------------------------------------------


class Policy(Rpc[Q, R]):
    """The descriptor that a policy decorator leaves in the class: an `Rpc` that has a cost."""

    def cost(self, function: Callable[[A, Q], float | None], /) -> Callable[[A, Q], float | None]:
        """Marks the method that says what a job would cost the agent by itself, at least 0, or None: it can't do it.
        It is called as each call comes in, so it must be quick. Raises `DefinitionError`."""
        spec = cast("PolicySpec", self.spec)
        name = getattr(function, "__name__", "")
        if isinstance(function, Rpc) or not callable(function) or not name.isidentifier():
            raise DefinitionError(f"@{spec.name}.cost: not a method: write `def name(self, job) -> float | None`")
        if inspect.iscoroutinefunction(function):
            raise DefinitionError(f"@{spec.name}.cost at {name}: a coroutine: write `def`, without async")
        if name.startswith("__"):
            raise DefinitionError(f"@{spec.name}.cost at {name}: Python renames it: begin it with one underscore")
        try:
            inspect.signature(function).bind(*range(1 if isinstance(cast("object", function), staticmethod) else 2))
        except TypeError:
            takes = ", ".join(inspect.signature(function).parameters)
            raise DefinitionError(
                f"@{spec.name}.cost at {name}: takes ({takes}): write `def name(self, job) -> float | None`"
            ) from None
        if spec.cost:
            raise DefinitionError(f"@{spec.name}.cost at {name}: {spec.cost!r} is its cost already: write one")
        self.spec: RpcSpec = replace(spec, cost=name)
        return function


def cooperative(
    job: type[Q],
    result: type[R],
    *,
    shares: bool | None = None,
    concurrency: int = 1,
    mailbox: int = MAILBOX,
    overflow: Literal["reject", "drop_oldest"] = "reject",
    middleware: tuple[Middleware, ...] = (),
    rate: Rate | None = None,
    approval: str = "",
) -> Callable[[Answer[A, Q, R]], Policy[Q, R]]:
    """Marks a method that does jobs it has bid its true cost for: ``async def name(self, job, ctx) -> Result``.
    The cost is another method's, marked ``@name.cost``. It is `hybrid` at the weight 0.

    Args:
        shares: whether it shares what it knows with its team; unless said, while its weight is below 0.5.
        concurrency, mailbox, overflow, middleware, approval, rate: as with `rpc`.

    Raises:
        DefinitionError: anything that cannot work.
    """
    mark = rpc(
        job,
        result,
        concurrency=concurrency,
        mailbox=mailbox,
        overflow=overflow,
        middleware=middleware,
        approval=approval,
        rate=rate,
    )
    return _policy("cooperative", mark, 0.0, adaptive, shares)


def competitive(
    job: type[Q],
    result: type[R],
    *,
    strategy: Strategy = adaptive,
    shares: bool | None = None,
    concurrency: int = 1,
    mailbox: int = MAILBOX,
    overflow: Literal["reject", "drop_oldest"] = "reject",
    middleware: tuple[Middleware, ...] = (),
    rate: Rate | None = None,
    approval: str = "",
) -> Callable[[Answer[A, Q, R]], Policy[Q, R]]:
    """Marks a method that does jobs it has bid for as its strategy says. It is `hybrid` at the weight 1."""
    mark = rpc(
        job,
        result,
        concurrency=concurrency,
        mailbox=mailbox,
        overflow=overflow,
        middleware=middleware,
        approval=approval,
        rate=rate,
    )
    return _policy("competitive", mark, 1.0, strategy, shares)


def hybrid(
    job: type[Q],
    result: type[R],
    *,
    weight: float | Callable[[Q], float],
    strategy: Strategy = adaptive,
    shares: bool | None = None,
    concurrency: int = 1,
    mailbox: int = MAILBOX,
    overflow: Literal["reject", "drop_oldest"] = "reject",
    middleware: tuple[Middleware, ...] = (),
    rate: Rate | None = None,
    approval: str = "",
) -> Callable[[Answer[A, Q, R]], Policy[Q, R]]:
    """Marks a method that does jobs it has bid for between its cost and what its strategy says.

    Args:
        weight: 0 for its cost to 1 for the strategy's bid; or a function of the job.
        strategy: what to bid at the weight 1.
        shares: whether it shares what it knows with its team; to be said when the weight is a function.
        concurrency, mailbox, overflow, middleware, approval, rate: as with `rpc`.

    Raises:
        DefinitionError: anything that cannot work.
    """
    mark = rpc(
        job,
        result,
        concurrency=concurrency,
        mailbox=mailbox,
        overflow=overflow,
        middleware=middleware,
        approval=approval,
        rate=rate,
    )
    if not callable(weight):
        if invalid("the weight", weight, 1.0):
            raise DefinitionError(f"@hybrid: weight={weight!r}: use a number from 0 to 1, or a function of the job")
    elif shares is None:
        raise DefinitionError("@hybrid: the weight is a function: say shares=True or shares=False, too")
    return _policy("hybrid", mark, weight, strategy, shares)


def _policy(
    decorator: str,
    mark: Callable[[Answer[A, Q, R]], Rpc[Q, R]],
    weight: float | Callable[[Q], float],
    strategy: Strategy,
    shares: bool | None,
) -> Callable[[Answer[A, Q, R]], Policy[Q, R]]:
    if not callable(strategy):
        raise DefinitionError(f"@{decorator}: strategy={strategy!r}: give a function of cost, terms and history")

    def mark_policy(function: Answer[A, Q, R]) -> Policy[Q, R]:
        try:
            plain = mark(function)
        except DefinitionError as error:
            raise DefinitionError(str(error).replace("@rpc", f"@{decorator}")) from None
        spec = plain.spec
        policy = PolicySpec(
            name=spec.name,
            type=spec.type,
            concurrency=spec.concurrency,
            mailbox=spec.mailbox,
            overflow=spec.overflow,
            middleware=spec.middleware,
            rate=spec.rate,
            unsigned=spec.unsigned,
            reply=spec.reply,
            approval=spec.approval,
            weight=weight,
            strategy=strategy,
            shares=shares,
        )
        return Policy(function, policy, plain.endpoint.request, plain.endpoint.reply)

    return mark_policy
