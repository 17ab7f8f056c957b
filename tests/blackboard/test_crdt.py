"""The laws of merging, and what they are for: the same board everywhere, whatever happens to its deltas."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentbus.blackboard import Board, Note, Stamp, Tally, Value
from agentbus.blackboard.clock import MAX_LOGICAL, HybridClock
from agentbus.blackboard.crdt import BUCKETS, Id, Item, fingerprint

VALUES: st.SearchStrategy[Value | None] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.sampled_from([0.0, -0.0, 1.0]),
    st.sampled_from(["", "1", b"1", b""]),
)
STAMPS = st.builds(Stamp, st.integers(0, 3), st.integers(0, 1), st.sampled_from(["a", "b", "c"]))
NOTES = st.builds(Note, st.sampled_from(["x", "y", "z"]), STAMPS, VALUES)
TALLIES = st.builds(Tally, st.sampled_from(["x", "n"]), st.sampled_from("abc"), st.integers(0, 9), st.integers(0, 9))
ITEMS: st.SearchStrategy[list[Item]] = st.lists(st.one_of(NOTES, TALLIES), max_size=12)


def board(*items: Item) -> Board:
    made = Board()
    for item in items:
        made.merge(item)
    return made


def merged(*boards: Board) -> Board:
    made = Board()
    for one in boards:
        made.merge_all(one)
    return made


@settings(deadline=None)
@given(ITEMS, ITEMS, ITEMS)
def test_merging_is_associative_commutative_and_idempotent(one: list[Item], two: list[Item], three: list[Item]) -> None:
    a, b, c = board(*one), board(*two), board(*three)
    assert merged(merged(a, b), c).spelled == merged(a, merged(b, c)).spelled
    assert merged(a, b).spelled == merged(b, a).spelled
    assert merged(a, a).spelled == a.spelled
    assert merged(a, b, a).spelled == merged(a, b).spelled


@settings(deadline=None)
@given(NOTES, NOTES, NOTES)
def test_notes_of_one_key_have_one_greatest(one: Note, two: Note, three: Note) -> None:
    two, three = (Note(one.key, note.stamp, note.value) for note in (two, three))
    assert one.merge(two).merge(three).spelled == one.merge(two.merge(three)).spelled
    assert one.merge(two).spelled == two.merge(one).spelled
    assert one.merge(one).spelled == one.spelled
    assert one.merge(two).stamp == max(one.stamp, two.stamp)


@settings(deadline=None)
@given(ITEMS, st.randoms(use_true_random=False))
def test_deltas_in_any_order_and_number_are_the_whole(items: list[Item], rng: Random) -> None:
    writer = Board()
    deltas: list[Item] = []
    for item in items:
        if writer.merge(item):
            delta = writer.get(item.id)
            assert delta is not None
            deltas.append(delta)
    heard = [*deltas, *rng.choices(deltas, k=5)] if deltas else []
    rng.shuffle(heard)
    assert board(*heard).spelled == writer.spelled


@settings(deadline=None)
@given(ITEMS, ITEMS)
def test_what_has_been_taken_in_changes_nothing_again(one: list[Item], two: list[Item]) -> None:
    made = board(*one)
    for item in two:
        before = made.spelled
        assert made.merge(item) == (made.spelled != before)
        assert not made.merge(item)


@settings(deadline=None)
@given(ITEMS, ITEMS)
def test_roots_are_equal_when_boards_are(one: list[Item], two: list[Item]) -> None:
    a, b = board(*one), board(*two)
    assert (a.root == b.root) == (a.spelled == b.spelled)
    for number in range(BUCKETS):
        total = 0
        for print_, which in a.bucket(number).items():
            item = a.get(which)
            assert item is not None
            assert fingerprint(item) == print_
            assert a.found(print_) is item
            total ^= print_
        assert a.sums[number] == total
    for item in list(a):
        a.discard(item.id)
    assert (a.root, a.weight, len(a), a.counts(), dict(a.deleted)) == (0, 0, 0, {}, {})


ADDS = st.lists(st.tuples(st.integers(0, 3), st.integers(-5, 5)), max_size=30)


@settings(deadline=None)
@given(ADDS, st.randoms(use_true_random=False))
def test_a_counter_is_the_sum_under_any_delivery(adds: Sequence[tuple[int, int]], rng: Random) -> None:
    """Four nodes count; deltas are lost, come twice and in any order; one exchange of boards at the end."""
    nodes = [Board() for _ in range(4)]
    under_way: list[Item] = []
    for who, amount in adds:
        mine = nodes[who].get(Id("n", str(who)))
        plus, minus = (mine.plus, mine.minus) if isinstance(mine, Tally) else (0, 0)
        delta = Tally("n", str(who), plus + max(0, amount), minus + max(0, -amount))
        nodes[who].merge(delta)
        under_way.append(delta)
        if rng.random() < 0.5:
            nodes[rng.randrange(4)].merge(rng.choice(under_way))
    whole = merged(*nodes)
    for node in nodes:
        node.merge_all(whole)
        assert node.spelled == whole.spelled
        assert node.count("n") == sum(amount for _, amount in adds)


def test_a_tally_that_decreases_counts_as_it_was() -> None:
    made = board(Tally("n", "a", 5, 1), Tally("n", "a", 3, 2))
    assert made.get(Id("n", "a")) == Tally("n", "a", 5, 2)
    assert made.count("n") == 3


def test_values_that_python_takes_for_equal_are_told_apart() -> None:
    values: list[Value | None] = [None, True, False, 1, 0, 1.0, 0.0, -0.0, "1", "", b"1", b""]
    assert len({fingerprint(Note("x", Stamp(1, 0, "a"), value)) for value in values}) == len(values)


def test_a_tombstone_beats_what_was_written_before_and_no_more() -> None:
    deleted = Note("x", Stamp(2, 0, "a"), None)
    made = board(Note("x", Stamp(1, 0, "z"), 1), deleted)
    assert (made.note("x"), made.notes(), list(made.deleted)) == (None, {}, [Id("x")])
    made.merge(Note("x", Stamp(3, 0, "a"), 2))
    assert (made.note("x"), made.notes(), list(made.deleted)) == (2, {"x": 2}, [])


# -- the clock ---------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(
    st.lists(st.one_of(st.floats(0, 100), st.builds(Stamp, st.integers(0, 100_000), st.integers(0, 3), st.just("b"))))
)
def test_each_stamp_is_greater_than_all_before_it_and_near_the_wall(steps: list[float | Stamp]) -> None:
    clock = HybridClock("a", max_ahead_s=10.0)
    greatest, highest = Stamp(0, 0, ""), 0.0
    for step in steps:
        if isinstance(step, Stamp):
            if clock.credible(step, highest):
                clock.hear(step)
                greatest = max(greatest, step)
            continue
        highest = max(highest, step)
        stamp = clock.next(step)
        assert (stamp.wall_ms, stamp.logical) > (greatest.wall_ms, greatest.logical)
        assert stamp.wall_ms <= highest * 1000.0 + 10_000.0
        greatest = stamp


def test_a_clock_that_goes_back_and_a_logical_part_that_is_full_go_on() -> None:
    clock = HybridClock("a", 60.0)
    assert clock.next(5.0) == (5_000, 0, "a")
    assert clock.next(2.0) == (5_000, 1, "a")
    clock.hear(Stamp(5_000, MAX_LOGICAL, "b"))
    assert clock.next(2.0) == (5_001, 0, "a")


@pytest.mark.parametrize(("ahead_s", "credible"), [(59.9, True), (60.1, False)])
def test_a_stamp_too_far_ahead_is_not_credible(ahead_s: float, credible: bool) -> None:
    clock = HybridClock("a", 60.0)
    assert clock.credible(Stamp(int((100.0 + ahead_s) * 1000), 0, "b"), 100.0) is credible
