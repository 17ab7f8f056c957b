"""The pieces of the machine, each by itself: the ring, suspicions, dissemination, awareness, the freeze, the knobs."""

from __future__ import annotations

from math import log10
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentbus.errors import ConfigurationError
from agentbus.membership import MembershipConfig, lan, local, wan
from agentbus.membership.awareness import Awareness
from agentbus.membership.dissemination import Dissemination
from agentbus.membership.freeze import Freeze
from agentbus.membership.members import MAX_BURIED, Members
from agentbus.membership.model import AgentEntry, State, Word
from agentbus.membership.ring import Ring
from agentbus.membership.suspicion import Suspicion, retransmissions
from tests.membership.world import quick


def word(node: str = "a", state: State = State.ALIVE, *, incarnation: int = 0, by: tuple[str, ...] = ()) -> Word:
    return Word(state=state, node=node, epoch=1, life=1, incarnation=incarnation, by=by)


# -- the ring ------------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32), st.lists(st.tuples(st.sampled_from("+-t"), st.integers(0, 9)), max_size=60))
def test_a_ring_gives_nobody_a_second_turn_before_all_have_had_one(seed: int, steps: list[tuple[str, int]]) -> None:
    ring = Ring(Random(seed))
    there: set[str] = set()
    had: set[str] = set()
    for step, number in steps:
        name = f"n{number}"
        if step == "+":
            ring.add(name)
            there.add(name)
        elif step == "-":
            ring.discard(name)
            there.discard(name)
            had.discard(name)
        else:
            chosen = ring.turn()
            if not there:
                assert chosen is None
                continue
            assert chosen in there
            if had >= there:
                had = set()
            assert chosen not in had
            had.add(chosen)
        assert set(ring) == there
        assert len(ring) == len(there)
        assert all((name in ring) == (name in there) for name in map("n{}".format, range(10)))


@given(st.integers(0, 2**32), st.integers(0, 12), st.integers(0, 12), st.sets(st.integers(0, 12)))
def test_a_sample_is_distinct_and_leaves_out_who_is_named(seed: int, size: int, count: int, but: set[int]) -> None:
    ring = Ring(Random(seed))
    names = {f"n{number}" for number in range(size)}
    for name in sorted(names):
        ring.add(name)
    left_out = {f"n{number}" for number in but}
    chosen = ring.sample(count, left_out)
    assert len(chosen) == len(set(chosen)) == min(count, len(names - left_out))
    assert set(chosen) <= names - left_out


# -- suspicions ----------------------------------------------------------------------------------------------------


def test_a_suspicion_shrinks_with_confirmations_as_the_paper_says() -> None:
    suspicion = Suspicion(100.0, shortest_s=1.0, longest_s=6.0, enough=3, accusers=["a"])
    assert suspicion.deadline == 106.0
    assert suspicion.confirm(["b"])
    assert suspicion.deadline == pytest.approx(103.5)  # 6 - 5 * log 2 / log 4
    assert suspicion.confirm(["c"])
    assert suspicion.deadline == pytest.approx(102.0376, abs=1e-4)  # 6 - 5 * log 3 / log 4
    assert suspicion.confirm(["d"])
    assert suspicion.deadline == 101.0
    assert not suspicion.confirm(["e"])
    assert suspicion.accusers == {"a", "b", "c", "d"}


def test_one_voice_that_repeats_itself_confirms_nothing() -> None:
    suspicion = Suspicion(0.0, shortest_s=1.0, longest_s=6.0, enough=3, accusers=["a"])
    assert not suspicion.confirm(["a"])
    assert suspicion.deadline == 6.0


def test_where_nobody_else_can_confirm_the_shortest_time_holds() -> None:
    assert Suspicion(0.0, shortest_s=1.0, longest_s=6.0, enough=0, accusers=["a"]).deadline == 1.0


def test_time_that_does_not_count_is_added() -> None:
    suspicion = Suspicion(0.0, shortest_s=1.0, longest_s=6.0, enough=3, accusers=["a"])
    suspicion.postpone(2.5)
    assert suspicion.deadline == 8.5


@pytest.mark.parametrize(("members", "times"), [(1, 4), (9, 4), (10, 8), (128, 12), (999, 12), (1_000, 16)])
def test_a_word_is_passed_on_a_logarithmic_number_of_times(members: int, times: int) -> None:
    assert retransmissions(4, members) == times


# -- dissemination -------------------------------------------------------------------------------------------------


def test_a_word_is_sent_as_often_as_the_limit_says() -> None:
    news = Dissemination()
    news.put(word())
    assert [len(news.take(1000, 3)) for _ in range(5)] == [1, 1, 1, 0, 0]
    assert len(news) == 0


def test_a_later_word_of_a_node_takes_the_place_of_the_one_before() -> None:
    news = Dissemination()
    news.put(word())
    later = word(incarnation=1)
    news.put(later)
    assert news.take(1000, 9) == (later,)


def test_what_was_sent_least_goes_first_where_not_all_fit() -> None:
    news = Dissemination()
    for name in "abcd":
        news.put(word(name))
    room = 2 * word().size
    first, second = news.take(room, 9), news.take(room, 9)
    assert {said.node for said in first} == {"c", "d"}
    assert {said.node for said in second} == {"a", "b"}


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 40)), max_size=30), st.integers(0, 400))
def test_no_packet_is_larger_than_it_may_be(said: list[tuple[str, int]], room: int) -> None:
    news = Dissemination()
    for incarnation, (name, size) in enumerate(said):
        agents = (AgentEntry(name="x" * size),) if size else ()
        news.put(Word(state=State.ALIVE, node=name, epoch=1, life=1, incarnation=incarnation, agents=agents))
    for _ in range(20):
        assert sum(taken.size for taken in news.take(room, 3)) <= room


# -- awareness -----------------------------------------------------------------------------------------------------


def test_the_health_score_stays_within_its_bounds() -> None:
    awareness = Awareness(8)
    awareness.apply(-1)
    assert (awareness.score, awareness.factor) == (0, 1)
    awareness.apply(5)
    awareness.apply(5)
    assert (awareness.score, awareness.factor) == (8, 9)
    off = Awareness(0)
    off.apply(5)
    assert off.factor == 1


# -- the freeze ----------------------------------------------------------------------------------------------------


def test_a_lag_freezes_and_is_added_to_suspicions() -> None:
    freeze = Freeze(local(), 0.0)
    assert not freeze.frozen(10.0)
    assert freeze.late(10.0, 8.0) == pytest.approx(8.0 + local().settle_s)
    assert freeze.frozen(10.1)
    assert not freeze.frozen(10.0 + local().settle_s)


def test_lags_that_overlap_count_once() -> None:
    freeze = Freeze(local(), 0.0)
    first = freeze.late(10.0, 1.0)
    second = freeze.late(10.1, 1.1)
    assert first + second == pytest.approx(1.0 + 0.1 + local().settle_s)


def test_no_link_freezes_until_others_are_back_too() -> None:
    freeze = Freeze(local(), 0.0)
    assert freeze.link(False, 5.0) == 0.0
    assert freeze.frozen(100.0)
    assert freeze.link(True, 15.0) == pytest.approx(15.0 + local().outage_settle_s)  # nothing was answered since 0
    assert freeze.frozen(15.0 + local().outage_settle_s - 0.01)
    assert not freeze.frozen(15.0 + local().outage_settle_s)
    assert freeze.link(True, 20.0) == 0.0


def test_an_answer_after_a_long_silence_freezes() -> None:
    freeze = Freeze(local(), 0.0)
    assert freeze.proof(0.3, 0.31, 0.4) == 0.0
    assert not freeze.frozen(0.31)
    assert freeze.doubtful(1.0, 0.4)
    assert freeze.proof(10.0, 10.01, 0.4) == pytest.approx(9.71 + local().outage_settle_s)
    assert freeze.frozen(10.01)


def test_it_can_be_turned_off() -> None:
    freeze = Freeze(quick(freeze=False), 0.0)
    assert freeze.late(10.0, 8.0) == freeze.proof(9.0, 10.0, 0.1) == 0.0
    assert not freeze.frozen(10.0)
    assert not freeze.doubtful(99.0, 0.1)


# -- the dead ------------------------------------------------------------------------------------------------------


def test_the_dead_are_remembered_for_a_while_and_then_only_their_last_word() -> None:
    members = Members(Random(0), 10.0)
    member = members.add(word(), 0.0)
    failed = word(state=State.FAILED)
    members.believe(member, failed, 5.0)
    members.reclaim(14.9)
    assert members.by_name == {"a": member}
    members.reclaim(15.0)
    assert members.by_name == {}
    assert len(members.failed) == 0
    assert members.buried("a") is members.claim("a") is failed


def test_one_that_is_back_is_not_reclaimed() -> None:
    members = Members(Random(0), 10.0)
    member = members.add(word(), 0.0)
    members.believe(member, word(state=State.FAILED), 5.0)
    members.believe(member, word(incarnation=1), 6.0)
    members.reclaim(100.0)
    assert "a" in members.living


def test_the_memory_of_the_buried_has_a_limit() -> None:
    members = Members(Random(0), 1.0)
    for number in range(MAX_BURIED + 10):
        members.add(word(f"n{number}", State.LEFT), 0.0)
    members.reclaim(1.0)
    assert members.buried("n9") is None
    assert members.buried("n10") is not None


# -- the knobs -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "at_128", "at_12"),
    [(local(), 1.7, 1.05), (lan(), 10.4, 6.3), (wan(), 73.2, 42.4)],
    ids=["local", "lan", "wan"],
)
def test_the_presets_say_when_a_crash_is_known(config: MembershipConfig, at_128: float, at_12: float) -> None:
    assert config.expected_detection_s(128) == pytest.approx(at_128, abs=0.05)
    assert config.expected_detection_s(12) == pytest.approx(at_12, abs=0.05)
    assert config.shortest_s(128) == pytest.approx(config.alpha * log10(128) * config.period_s)
    assert config.timeout_s < config.period_s < config.rejoin_s


@pytest.mark.parametrize(
    "wrong",
    [
        {"timeout_s": 0.2},
        {"timeout_s": 0.0},
        {"alpha": 0.0},
        {"beta": 0.5},
        {"nack_share": 1.0},
        {"indirect": -1},
        {"fanout": 0},
        {"agents_bytes": 8_000},
        {"table_bytes": 1_000},
        {"settle_s": -1.0},
    ],
    ids=str,
)
def test_knobs_that_cannot_work_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match="membership: "):
        quick(**wrong)
