"""`LeaseMachine`: who gets a lease, who keeps it, and who learns that it is gone."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from agentbus.errors import ConfigurationError
from agentbus.storage.leases import Holder, LeaseConfig, LeaseRecord
from agentbus.storage.leases.codec import decode, encode
from agentbus.storage.leases.model import Found, Leave, Nudge, Tick, Want

from .world import CONFIG, Observer, Store, together


def two(*, apart_s: float = 0.0) -> tuple[Store, Observer, Observer]:
    store = Store()
    first, second = Observer("a", 1, store, 100.0), Observer("b", 1, store, 100.0 + apart_s)
    first.tell(Want())
    first.advance(0.0)
    second.tell(Want())
    second.advance(0.0)
    return store, first, second


def test_the_first_gets_it_and_its_token_is_the_revision() -> None:
    store, first, second = two()
    assert first.acquired == [1] == [store.at]
    assert second.acquired == []
    assert second.machine.holder == first.me


@pytest.mark.parametrize("apart_s", [0.0, 3600.0, -3600.0])
def test_clocks_an_hour_apart_cost_nobody_a_lease(apart_s: float) -> None:
    store, first, second = two(apart_s=apart_s)
    together([first, second], 120.0)
    assert first.lost == second.acquired == []
    assert first.machine.token == 1
    assert store.at > 30


def test_a_holder_that_is_silent_loses_it_after_stale_s_of_the_observer_s_clock() -> None:
    _, first, second = two(apart_s=3600.0)
    began = second.clock_s
    while not second.acquired:
        second.advance(0.25)
    assert CONFIG.stale_s <= second.clock_s - began <= CONFIG.stale_s + 2 * CONFIG.poll_s
    first.advance(1.0 + CONFIG.renew_s)
    assert first.lost == ["b@1 has it"]
    assert first.machine.token is None


def test_a_store_that_is_away_costs_no_live_holder_its_lease() -> None:
    store, first, second = two()
    together([first, second], 4.0)
    store.away = True
    together([first, second], 60.0)
    assert first.machine.token == 1
    assert not first.machine.sure(first.clock_s)
    store.away = False
    together([second, first], 60.0)  # who waits looks first
    assert first.lost == second.acquired == []
    assert first.machine.sure(first.clock_s)


def test_a_life_that_is_over_is_succeeded_at_once() -> None:
    store, first, second = two()
    second.over.add(first.me)
    second.tell(Nudge())
    second.advance(0.0)
    assert second.acquired == [store.at]
    first.advance(CONFIG.renew_s)
    assert first.lost == ["b@1 has it"]


def test_patience_lets_who_is_before_go_first() -> None:
    store, first, second = two()
    second.tell(Want(patience_s=5.0))
    third = Observer("c", 1, store, 100.0)
    third.tell(Want())
    third.advance(0.0)
    first.tell(Leave())
    first.advance(0.0)
    second.tell(Nudge())
    second.advance(0.5)
    assert second.acquired == []
    third.advance(CONFIG.poll_s)
    assert third.acquired == [store.at]


def test_who_waits_patiently_takes_what_nobody_else_takes() -> None:
    _, first, second = two()
    second.tell(Want(patience_s=5.0))
    first.tell(Leave())
    first.advance(0.0)
    second.advance(4.9)
    assert second.acquired == []
    second.advance(2.0)
    assert second.acquired


def test_a_later_life_succeeds_an_earlier_one_without_a_verdict() -> None:
    store, first, _ = two()
    again = Observer("a", 2, store, 5.0)
    again.tell(Want())
    again.advance(0.0)
    assert again.acquired == [store.at]
    assert again.acquired[0] > first.acquired[0]
    earlier = Observer("a", 1, store, 5.0)
    earlier.tell(Want())
    earlier.advance(5.0)
    assert earlier.acquired == []


def test_a_write_that_was_done_though_nobody_said_so_is_found_to_be_ours() -> None:
    store = Store()
    first = Observer("a", 1, store, 0.0)
    first.tell(Want())
    first.answer()
    first.answer(heard=False)
    assert first.acquired == []
    assert store.record is not None
    first.advance(CONFIG.retry_s)
    assert first.acquired == [store.at]
    first.clock_s += CONFIG.renew_s
    first.tell(Tick())
    first.answer(heard=False)
    first.advance(CONFIG.retry_s)
    assert first.lost == []
    assert first.truly_holds


def test_who_does_not_want_it_any_more_leaves_nothing_behind() -> None:
    store = Store()
    first = Observer("a", 1, store, 0.0)
    first.tell(Want())
    first.answer()
    first.answer(heard=False)
    first.tell(Leave())
    first.advance(5.0)
    assert store.record is None
    assert first.machine.next_deadline() is None


@pytest.mark.parametrize(
    "wrong", [{"stale_s": 10.0}, {"renew_s": 5.0}, {"ttl_s": 15.0}, {"ttl_s": 20.5}, {"poll_s": 0.0}]
)
def test_knobs_that_would_cost_a_live_holder_its_lease_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        LeaseConfig(**wrong)


def test_a_record_is_what_it_was_and_bytes_that_are_none_are_nobody_s() -> None:
    record = LeaseRecord(holder=Holder(name="a", epoch=2**60, node="n"), token=7)
    assert decode(encode(record)) == record
    assert decode(b"\xff\xff").holder.name == "?"


class LeaseWorld(RuleBasedStateMachine):
    """Three observers, clocks an hour apart, and a store that answers as it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Store()
        self.all = [Observer(name, 1, self.store, 3600.0 * index) for index, name in enumerate("abc")]

    who = st.integers(0, 2)

    @rule(who=who, patience_s=st.sampled_from([0.0, 1.0, 5.0]))
    def want(self, who: int, patience_s: float) -> None:
        self.all[who].tell(Want(patience_s=patience_s))

    @rule(who=who)
    def leave(self, who: int) -> None:
        self.all[who].tell(Leave())

    @rule(who=who)
    def nudge(self, who: int) -> None:
        self.all[who].tell(Nudge())

    @rule(who=who, done=st.booleans(), heard=st.booleans())
    def answer(self, who: int, done: bool, heard: bool) -> None:
        if self.all[who].asked is not None:
            self.all[who].answer(done=done, heard=heard)

    @rule(who=who, seconds=st.sampled_from([0.1, 1.0, 4.0, 20.0]))
    def stopped_for(self, who: int, seconds: float) -> None:
        self.all[who].clock_s += seconds
        self.all[who].tell(Tick())

    @rule(who=who, seconds=st.sampled_from([0.5, 3.0, 16.0]))
    def runs(self, who: int, seconds: float) -> None:
        self.all[who].advance(seconds)

    @rule(seconds=st.sampled_from([1.0, 10.0]))
    def all_run(self, seconds: float) -> None:
        together(self.all, seconds)

    @rule(who=who, whom=who)
    def verdict(self, who: int, whom: int) -> None:
        self.all[who].over.add(self.all[whom].me)

    @invariant()
    def one_holder_and_growing_tokens(self) -> None:
        tokens = [token for token, _ in self.store.tokens]
        assert tokens == sorted(set(tokens))
        assert sum(observer.truly_holds for observer in self.all) <= 1

    @invariant()
    def nothing_is_acquired_that_was_not_written(self) -> None:
        for observer in self.all:
            mine = [token for token, holder in self.store.tokens if holder == observer.me]
            assert set(observer.acquired) <= set(mine)

    @invariant()
    def somebody_is_heard_of_again(self) -> None:
        for observer in self.all:
            machine = observer.machine
            if machine.wanted or machine.token is not None:
                assert observer.asked is not None or machine.next_deadline() is not None

    def teardown(self) -> None:
        for observer in self.all:  # in the end all agree on who holds it
            observer.over.clear()
        together(self.all, 60.0)
        holding = [observer for observer in self.all if observer.machine.token is not None]
        assert len(holding) <= 1
        if any(observer.machine.wanted for observer in self.all):
            assert holding
            assert holding[0].truly_holds


TestLeaseWorld = LeaseWorld.TestCase
TestLeaseWorld.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


def test_what_is_read_again_unchanged_is_evidence_only_while_it_is_wanted() -> None:
    store, first, second = two()
    second.advance(10.0)
    second.tell(Leave())
    second.advance(100.0)
    second.tell(Want())
    second.advance(10.0)
    assert second.acquired == []
    assert first.truly_holds
    assert second.machine.handle(Found(record=store.record, revision=store.at), second.clock_s) == []
