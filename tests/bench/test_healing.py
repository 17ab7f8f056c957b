"""What the bench of healing makes of a run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bench.healing import ARMS, Arm, Result, Spread, arguments
from examples.selfhealing.answer import Comparison
from examples.selfhealing.outcome import Outcome
from examples.selfhealing.plan import FAULTS, Plan
from examples.selfhealing.timeline import Injection, Timeline
from examples.selfhealing.verdict import Verdict


def outcome(kind: str, recover_s: float | None, **facts: Any) -> Outcome:
    fault = Injection(kind=kind, at_s=1.0, victims=("agent-1",), shards=(0,))
    return Outcome(fault=fault, from_s=1.0, detect_s=0.5, recover_s=recover_s, return_s=2.0, **facts)


def result(arm: str, outcomes: list[Outcome], **changes: Any) -> Result:
    facts: dict[str, Any] = {
        "about": "",
        "elapsed_s": 1.0,
        "timeline": Timeline(("agent-1",)),
        "outcomes": outcomes,
        "answer": Comparison(records=1, equal=1, lost=0, twice=0, differing=0),
    }
    return Result.of(next(one for one in ARMS if one.name == arm), Verdict(**{**facts, **changes}))


def test_percentiles_are_values_that_were_seen() -> None:
    assert Spread.of([]) is None
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 3.0, 3.0, 3)
    assert Spread.of([float(number) for number in range(1, 101)]) == Spread(50.0, 95.0, 100.0, 100)


def test_a_bar_that_is_met_and_one_that_is_missed() -> None:
    assert result("kill", [outcome("kill", 2.0)] * 20).misses() == []
    assert result("kill", [outcome("kill", 2.0)] * 18 + [outcome("kill", 3.5)] * 2).misses() == [
        "recover p95 3.50 s, the bar is 3 s"
    ]
    assert result("kill", [outcome("kill", 2.0)] * 19 + [outcome("kill", None)]).misses() == [
        "19 of 20 faults recovered"
    ]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Comparison(records=2, equal=1, lost=1, twice=0, differing=0), "1 records lost"),
        (Comparison(records=2, equal=2, lost=0, twice=3, differing=0), "3 records counted twice"),
        (Comparison(records=2, equal=1, lost=0, twice=0, differing=1), "1 records differ"),
    ],
)
def test_a_wrong_answer_is_a_miss(answer: Comparison, says: str) -> None:
    assert result("stop", [outcome("stop", 1.0)], answer=answer).misses() == [says]


def test_liars_are_timed_one_by_one_and_each_must_be_convicted() -> None:
    found = result("lie-3", [outcome("lie", 1.0, wrong=3, each_s={"a": 1.0, "b": 6.0})])
    assert (found.convicted, found.wrong) == (2, 3)
    assert found.convict == Spread(1.0, 6.0, 6.0, 2)
    assert found.misses() == ["convict p95 6.00 s, the bar is 5 s", "2 of 3 liars convicted"]


def test_a_lease_that_a_live_holder_loses_is_a_miss_where_it_must_not() -> None:
    assert result("broker", [outcome("broker", 6.0, leases_lost=1)]).misses() == ["1 leases lost by live holders"]
    assert result("kill", [outcome("kill", 1.0, leases_lost=1)]).misses() == []


def test_every_arm_is_of_a_kind_that_the_demo_knows() -> None:
    assert {arm.kind for arm in ARMS} == set(FAULTS)
    assert len({arm.name for arm in ARMS}) == len(ARMS)
    plan = Plan(records=np.zeros((1, 1)), source="nowhere")
    assert all(arm.lie.liars <= arm.liars < plan.agents / 2 for arm in ARMS)


def test_options(capsys: pytest.CaptureFixture[str]) -> None:
    arms: list[Arm] = arguments(["--kind", "stop,kill"]).arms
    assert [arm.name for arm in arms] == ["stop", "kill"]
    with pytest.raises(SystemExit):
        arguments(["--kind", "fire"])
    assert "--kind fire: use some of kill" in capsys.readouterr().err
