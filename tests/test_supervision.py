"""What supervision decides: restart intensity, backoff, and that the world's errors restart nobody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentbus.errors import Busy, ConfigurationError, NotConnected, Refused
from agentbus.supervision import Escalate, Restart, Resume, Stop, Supervision, decide, recent

DEFECT = ValueError("boom")


@pytest.mark.parametrize("error", [Refused("no"), Busy("full"), NotConnected("down")])
def test_the_worlds_errors_cost_their_message_only(error: Exception) -> None:
    assert decide(Supervision(max_restarts=0), (), error, 0.0) == Resume()


def test_an_agent_that_has_not_started_has_nothing_to_go_on_with() -> None:
    assert decide(Supervision(), (), Refused("no"), 0.0, resumable=False) == Restart(0.0)
    assert decide(Supervision(on_failure="resume"), (), DEFECT, 0.0, resumable=False) == Restart(0.0)


def test_a_policy_to_resume_resumes_for_ever() -> None:
    policy = Supervision(on_failure="resume", max_restarts=0)
    assert decide(policy, (1.0, 1.0, 1.0), DEFECT, 1.0) == Resume()


def test_the_first_restart_is_immediate_and_each_further_one_waits_twice_as_long() -> None:
    policy = Supervision(max_restarts=9, backoff_s=0.1, max_backoff_s=1.0)
    delays = [decide(policy, (0.0,) * count, DEFECT, 1.0) for count in range(7)]
    assert delays == [Restart(delay) for delay in (0.0, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0)]


@pytest.mark.parametrize(("then", "decision"), [("stop", Stop()), ("escalate", Escalate())])
def test_beyond_its_intensity_an_agent_is_given_up(then: str, decision: object) -> None:
    policy = Supervision(max_restarts=2, within_s=60.0, then=then)  # type: ignore[arg-type]
    assert decide(policy, (10.0, 20.0), DEFECT, 30.0) == decision
    assert decide(policy, (10.0, 20.0), DEFECT, 70.0) == Restart(0.1), "the first is out of the window"


def test_restarts_count_until_the_window_has_passed() -> None:
    assert recent(Supervision(within_s=10.0), (0.0, 5.0, 9.0), 10.0) == (5.0, 9.0)


@given(
    gaps=st.lists(st.floats(0.0, 30.0), max_size=60),
    limit=st.integers(0, 5),
    window=st.floats(0.5, 60.0),
)
def test_no_window_ever_holds_more_restarts_than_allowed(gaps: list[float], limit: int, window: float) -> None:
    policy = Supervision(max_restarts=limit, within_s=window)
    now, kept, history = 0.0, (), []
    for gap in gaps:
        now += gap
        decision = decide(policy, kept, DEFECT, now)
        if isinstance(decision, Restart):
            kept = (*recent(policy, kept, now), now)
            history.append(now)
            assert 0.0 <= decision.delay_s <= policy.max_backoff_s
        else:
            assert decision == Stop()
            assert len(recent(policy, kept, now)) == limit
    for start in history:
        assert sum(start <= when < start + window for when in history) <= max(limit, 0) or window < 1e-9


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_restarts": -1},
        {"within_s": 0.0},
        {"backoff_s": -0.1},
        {"max_backoff_s": -1.0},
        {"then": "panic"},
        {"on_failure": "ignore"},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        Supervision(**wrong)  # type: ignore[arg-type]
