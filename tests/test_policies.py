"""What a policy is: a weight, a cost and a strategy; and what it bids."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentbus import Agent, Context, competitive, cooperative, hybrid, on
from agentbus.agent import again
from agentbus.errors import AgentNotFound, ConfigurationError, DefinitionError, HandlerFailed, InvalidBid, Refused
from agentbus.negotiation import Terms
from agentbus.policies import RAISE, Past, PolicyState, Strategy, adaptive, reluctance, truthful
from agentbus.specs import Endpoint, PolicySpec
from examples.couriers.v1.couriers_pb2 import Delivery, Receipt


class Courier(Agent):
    def __init__(self, distance: float = 2.0) -> None:
        self.distance = distance

    @cooperative(Delivery, Receipt, concurrency=2)
    async def deliver(self, job: Delivery, ctx: Context) -> Receipt:
        return Receipt(number=job.number)

    @deliver.cost
    def cost(self, job: Delivery) -> float | None:
        return self.distance


class Faster(Courier):
    def cost(self, job: Delivery) -> float | None:
        return self.distance / 2


def state(
    weight: float | Callable[[Any], float], strategy: Strategy = adaptive, shares: bool | None = None
) -> PolicyState:
    return PolicyState(
        PolicySpec(
            name="deliver", type=Delivery, reply=Receipt, weight=weight, strategy=strategy, shares=shares, cost="c"
        )
    )


def doubled(cost: float, terms: Terms, history: Sequence[Past], /) -> float:
    return 2 * cost


# -- what is written ---------------------------------------------------------------------------------------------------


def test_a_policy_is_an_rpc_with_a_weight_and_a_cost() -> None:
    (spec,) = Courier.behaviors.rpc
    assert isinstance(spec, PolicySpec)
    assert (spec.name, spec.type, spec.reply, spec.weight, spec.cost) == ("deliver", Delivery, Receipt, 0.0, "cost")
    assert spec.concurrency == 2
    assert isinstance(Courier.deliver, Endpoint)
    assert Courier(3.0).cost(Delivery()) == 3.0
    assert Faster.behaviors.rpc == Courier.behaviors.rpc


async def _deliver(self: object, job: Delivery, ctx: Context) -> Receipt:
    return Receipt()


def _alone(self: object) -> float:
    return 1.0


def _three(self: object, job: Delivery, ctx: Context) -> float:
    return 1.0


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: hybrid(Delivery, Receipt, weight=1.5), "from 0 to 1"),
        (lambda: hybrid(Delivery, Receipt, weight=math.nan), "from 0 to 1"),
        (lambda: hybrid(Delivery, Receipt, weight=lambda job: 0.5), "shares=True"),
        (lambda: cooperative(Delivery, Receipt)(lambda self, job, ctx: None), "@cooperative at .*not a coroutine"),  # type: ignore[arg-type]
        (lambda: competitive(int, Receipt)(_deliver), "@competitive at .*not a protobuf message"),  # type: ignore[type-var]
        (lambda: cooperative(Delivery, Receipt)(_deliver).cost(_deliver), "without async"),  # type: ignore[arg-type]
        (lambda: cooperative(Delivery, Receipt)(_deliver).cost(3), "not a method"),  # type: ignore[arg-type]
        (
            lambda: cooperative(Delivery, Receipt)(_deliver).cost(_alone),
            r"takes \(self\): write `def name\(self, job\)",
        ),  # type: ignore[arg-type]
        (lambda: cooperative(Delivery, Receipt)(_deliver).cost(_three), r"takes \(self, job, ctx\): write"),  # type: ignore[arg-type]
        (lambda: competitive(Delivery, Receipt, strategy=5)(_deliver), "strategy=5"),  # type: ignore[arg-type]
        (lambda: hybrid(Delivery, Receipt, weight=1.0, strategy=None)(_deliver), "strategy=None"),  # type: ignore[arg-type]
    ],
)
def test_wrong_use_fails_at_once_and_says_what_to_write(make: Callable[[], object], says: str) -> None:
    with pytest.raises(DefinitionError, match=says):
        make()


def test_a_policy_needs_one_cost() -> None:
    with pytest.raises(DefinitionError, match=r"@_deliver\.cost"):
        type("Careless", (Agent,), {"deliver": cooperative(Delivery, Receipt)(_deliver)})
    policy = cooperative(Delivery, Receipt)(_deliver)

    def cost(self: object, job: Delivery) -> float:
        return 1.0

    policy.cost(cost)
    with pytest.raises(DefinitionError, match="already"):
        policy.cost(cost)


def test_on_a_policy_no_other_decorator() -> None:
    with pytest.raises(DefinitionError, match="already"):
        on(Delivery)(cooperative(Delivery, Receipt)(_deliver))  # type: ignore[type-var]


# -- what can be changed -----------------------------------------------------------------------------------------------


def test_the_weight_can_be_changed_and_outlives_a_restart() -> None:
    courier = Courier()
    courier.policy("deliver").weight = 0.25
    assert courier.policy("deliver").word == "hybrid 0.25"
    fresh = again(courier)
    assert fresh.policy("deliver").weight == 0.25
    assert fresh.policy("deliver") is courier.policy("deliver")
    assert Courier().policy("deliver").word == "cooperative"
    with pytest.raises(AgentNotFound, match="no policy 'greet'"):
        courier.policy("greet")


@pytest.mark.parametrize("weight", [-0.1, 1.1, math.nan, math.inf, "1"])
def test_a_weight_is_from_0_to_1(weight: Any) -> None:
    policy = state(0.5)
    with pytest.raises(ConfigurationError, match="weight"):
        policy.weight = weight
    assert policy.weight == 0.5


def test_the_strategy_is_one_agents_and_can_be_changed() -> None:
    policy, other = state(1.0), state(1.0)
    policy.strategy = doubled
    bids = [state.decide(Delivery(), Terms(), lambda _: 10.0, 0.0).bid for state in (policy, other)]
    assert bids == [20.0, pytest.approx(11.0)]
    with pytest.raises(ConfigurationError, match="give a function"):
        policy.strategy = 2.0  # type: ignore[assignment]
    assert policy.strategy is doubled


def test_who_shares() -> None:
    shared = [state(w).shares for w in (0.0, 0.49, 0.5, 1.0)]
    assert shared == [True, True, False, False]
    assert state(1.0, shares=True).shares
    assert not state(0.0, shares=False).shares
    policy = state(0.0)
    policy.weight = 1.0
    assert not policy.shares
    policy.weight = lambda job: 0.0
    assert not policy.shares
    assert policy.word == "hybrid by the job"


# -- what is bid -------------------------------------------------------------------------------------------------------


def decide(policy: PolicyState, cost: Any, value: float | None = None, queue: float = 0.0) -> Any:
    return policy.decide(Delivery(), Terms(value=value), lambda job: cost, queue)


@pytest.mark.parametrize(("weight", "bid"), [(0.0, 4.0), (0.5, 6.0), (1.0, 8.0), (lambda job: 0.25, 5.0)])
def test_the_bid_is_the_cost_and_the_weights_share_of_the_margin(weight: Any, bid: float) -> None:
    decision = decide(state(weight, doubled, shares=False), 3.0, queue=1.0)
    assert (decision.bid, decision.cost, decision.own_cost, decision.refusal) == (bid, 4.0, 3.0, None)


@pytest.mark.parametrize(
    ("weight", "cost", "bid", "value", "takes_part"),
    [
        (0.0, 4.0, 4.0, 4.0, True),
        (0.0, 4.1, 4.1, 4.0, False),
        (1.0, 4.0, 5.0, 5.0, True),
        (1.0, 4.0, 5.1, 5.0, False),  # b <= v
        (1.0, 4.0, 3.9, 5.0, False),  # c <= b
        (0.5, 4.0, 3.5, 5.0, True),  # it loses by it, and the buyer gains more
        (0.5, 4.0, 3.5, 4.2, False),
        (1.0, 4.0, 3.9, None, False),
        (0.9, 4.0, 3.9, None, True),
        (1.0, 4.0, 4.0, None, True),
    ],
)
def test_who_takes_part(weight: float, cost: float, bid: float, value: float | None, takes_part: bool) -> None:
    assert (reluctance(cost, bid, weight, value) == "") is takes_part


@pytest.mark.parametrize("cost", [math.nan, math.inf, -math.inf, -1.0, "3", 10**400, Decimal("sNaN")])
def test_a_cost_that_is_no_number_is_a_typed_refusal_that_says_so(cost: Any) -> None:
    decision = decide(state(0.0), cost)
    assert decision.bid is None
    assert isinstance(decision.refusal, InvalidBid)
    assert "the cost by 'deliver'" in str(decision.refusal)
    assert repr(cost)[:20] in str(decision.refusal)


def test_so_is_one_of_more_digits_than_python_writes() -> None:
    refusal = decide(state(0.0), 10**5000).refusal
    assert isinstance(refusal, InvalidBid)
    assert len(str(refusal)) < 200


@pytest.mark.parametrize("bid", [math.nan, math.inf, -1.0])
def test_so_is_a_bid(bid: float) -> None:
    decision = decide(state(1.0, lambda cost, terms, history: bid), 3.0)
    assert isinstance(decision.refusal, InvalidBid)
    assert "strategy" in str(decision.refusal)


def test_so_are_a_weight_and_a_value() -> None:
    assert "weight" in str(decide(state(lambda job: 2.0, shares=True), 3.0).refusal)
    for value in (math.nan, -1.0, math.inf):
        assert isinstance(decide(state(0.5), 3.0, value).refusal, InvalidBid)


def test_who_cannot_refuses_and_what_raises_is_told() -> None:
    assert isinstance(decide(state(0.0), None).refusal, Refused)

    def lost(job: Delivery) -> float:
        raise ValueError("no map")

    refusal = state(0.0).decide(Delivery(), Terms(), lost, 0.0).refusal
    assert isinstance(refusal, HandlerFailed)
    assert str(refusal) == "ValueError: the cost of 'deliver': no map"
    assert isinstance(refusal.__cause__, ValueError)


@given(weight=st.floats(0, 1), cost=st.floats(0, 1e6), margin=st.floats(-1, 3), value=st.none() | st.floats(0, 1e7))
def test_a_decision_is_a_bid_or_a_refusal_and_a_bid_is_what_the_table_says(
    weight: float, cost: float, margin: float, value: float | None
) -> None:
    decision = decide(state(weight, lambda c, terms, history: c * (1 + margin)), cost, value)
    assert (decision.bid is None) is (decision.refusal is not None)
    if decision.bid is not None:
        assert decision.bid == pytest.approx(cost + weight * cost * margin, rel=1e-9, abs=1e-9)
        assert value is None or decision.bid <= value
        if weight == 1:
            assert decision.bid >= cost
        if weight == 0:
            assert decision.bid == cost


# -- strategies --------------------------------------------------------------------------------------------------------


def test_the_default_strategy_is_truthful_where_truth_is_best() -> None:
    terms = Terms(second_price=True)
    assert adaptive(5.0, terms, []) == truthful(5.0, terms, []) == 5.0


def test_the_default_strategy_asks_more_after_winning_and_meets_the_price_after_losing() -> None:
    won = [Past(cost=1.0, bid=1.1, won=True, price=1.1)]
    assert adaptive(10.0, Terms(), []) == pytest.approx(11.0)
    assert adaptive(10.0, Terms(), won) == pytest.approx(10 * (1 + 0.1 * RAISE))
    lost = [Past(cost=1.0, bid=1.1, won=False, price=1.0 + share) for share in (0.02, 0.02, 0.02, 0.02, 0.02, 0.02)]
    assert adaptive(10.0, Terms(), lost) == pytest.approx(10.2, rel=1e-2)
    beaten = [Past(cost=1.0, bid=1.0, won=False, price=0.5)] * 10
    assert adaptive(10.0, Terms(), beaten) == 10.0
    assert adaptive(10.0, Terms(value=10.5), won) == 10.5
    assert adaptive(10.0, Terms(value=9.0), won) == 10.0
