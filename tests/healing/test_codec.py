"""Healing's messages: what goes out comes back, and what is wrong with what comes in does no harm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentbus.faults import Fault
from agentbus.healing.codec import AgentStanding, HealingAction, from_belief, from_fault, to_action, to_belief
from agentbus.healing.journal import WAITING, Journal
from agentbus.healing.model import Belief, Life, Record, Trouble
from agentbus.peers import Standing

lives = st.builds(Life, st.text(max_size=9), st.text(max_size=9), st.integers(0, 2**63))
beliefs = st.builds(
    Belief,
    life=lives,
    standing=st.sampled_from([Standing.PROBATION, Standing.QUARANTINED]),
    kind=st.text(max_size=9),
    reason=st.text(max_size=40),
    until_s=st.floats(100.0, 600.0),
    shed=st.floats(0.0, 1.0),
)


@given(beliefs)
def test_a_belief_comes_back(belief: Belief) -> None:
    back = from_belief(to_belief(belief, 100.0), 1100.0, 600.0)
    assert back is not None
    assert (back.life, back.standing, back.kind, back.reason) == (
        belief.life,
        belief.standing,
        belief.kind,
        belief.reason,
    )
    if belief.standing is Standing.PROBATION:  # clocks differ by 1,000 s: what is left is what counts
        assert back.until_s == pytest.approx((belief.until_s or 0.0) + 1000.0)
        assert back.shed == belief.shed
    else:
        assert (back.until_s, back.shed) == (None, 0.0)


@pytest.mark.parametrize("left", [float("nan"), float("inf"), -3.0, 1e300])
def test_a_probation_is_cut_to_the_longest(left: float) -> None:
    told = AgentStanding(agent="w", node="n", epoch=1, standing="STANDING_KIND_PROBATION", left_s=left, shed=left)
    belief = from_belief(told, 10.0, 60.0)
    assert belief is not None
    assert belief.until_s is not None
    assert 10.0 <= belief.until_s <= 70.0
    assert 0.0 <= belief.shed <= 1.0


@pytest.mark.parametrize("kind", [0, 1, 99])
def test_trust_and_what_is_unknown_are_not_told(kind: int) -> None:
    assert from_belief(AgentStanding(agent="w", standing=kind), 0.0, 60.0) is None  # type: ignore[arg-type]


def test_a_fault_comes_in_with_distinct_witnesses_and_bounded_text() -> None:
    told = Fault(kind="lying", agent="w", node="n", epoch=3, reason="x" * 5000, witnesses=["b", "a", "b"], score=0.5)
    trouble = from_fault(told)
    assert trouble.witnesses == ("a", "b")
    assert len(trouble.reason) == 1000
    assert trouble.id == "lying/w@n/3"


def test_a_step_says_all_of_it() -> None:
    trouble = Trouble(kind="lying", life=Life("w", "n", 3), witnesses=("a", "b"))
    record = Record(
        trouble=trouble, action="rehost", reason="r", rule="P.x", outcome="requested", latency_s=0.5, target="m"
    )
    action = to_action(record, "me", 9)
    assert (action.fault, action.action, action.rule, action.target) == ("lying/w@n/3", "rehost", "P.x", "m")
    assert (action.by, action.by_epoch, action.latency_s, list(action.witnesses)) == ("me", 9, 0.5, ["a", "b"])


def test_the_journal_keeps_the_newest_and_tries_again_later_each_time() -> None:
    journal = Journal()
    for number in range(WAITING + 3):
        journal.add(HealingAction(fault=str(number)))
    assert (len(journal), journal.dropped) == (WAITING, 3)
    first = journal.first(0.0)
    assert first is not None
    assert first.fault == "3"
    waits: list[float] = []
    now = 0.0
    for _ in range(8):
        journal.failed(now)
        assert journal.first(now) is None
        waits.append(journal._next_s - now)
        now = journal._next_s
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0]
    journal.stored(first)
    assert len(journal) == WAITING - 1
