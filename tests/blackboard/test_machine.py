"""Gossip without a network: what is lost, late, repeated, too much, from the future, or of another life."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, log2

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentbus.blackboard import BlackboardConfig, Note, Stamp, Tally, lan, local, wan
from agentbus.blackboard.crdt import Id, Item, fingerprint
from agentbus.blackboard.model import Packet, PacketKind, Send
from agentbus.errors import BoardFull, ConfigurationError

from .world import WALL, World

CONFIG = BlackboardConfig(period_s=1.0)
SMALL = BlackboardConfig(period_s=1.0, max_entries=8, max_bytes=2_000, max_value_bytes=500, message_bytes=2_000)


def beat(*items: Item) -> Packet:
    return Packet(kind=PacketKind.BEAT, source="b", life=2, items=items)


def names(count: int) -> list[str]:
    return [f"n{number}" for number in range(count)]


# -- convergence -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [2, 8, 32, 64])
def test_what_all_write_is_everywhere_in_logarithmic_time(size: int) -> None:
    world = World(*names(size), seed=size)
    for name in world.machines:
        world.put(name, f"from/{name}", name)
        world.add(name, "n", 2)
    assert world.rounds_until_same() <= 2 * ceil(log2(size)) + 3
    machine = world.machines["n0"]
    assert machine.board.count("n") == 2 * size
    assert len(machine.board.notes("from/")) == size


def test_with_heavy_loss_and_repetition_it_takes_longer() -> None:
    world = World(*names(16), seed=5, loss=0.5, twice=0.3)
    for name in world.machines:
        world.put(name, "same key", name)
        world.add(name, "n")
    world.rounds_until_same()
    assert world.machines["n3"].board.count("n") == 16


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 4), st.integers(0, 3)),
        st.tuples(st.just("delete"), st.integers(0, 4), st.integers(0, 3)),
        st.tuples(st.just("add"), st.integers(0, 4), st.integers(-3, 3)),
        st.tuples(st.just("run"), st.integers(0, 4), st.integers(0, 2)),
        st.tuples(st.just("cut"), st.integers(0, 4), st.integers(0, 1)),
        st.tuples(st.just("skew"), st.integers(0, 4), st.integers(-20, 20)),
        st.tuples(st.just("restart"), st.integers(0, 4), st.just(0)),
    ),
    max_size=25,
)


@settings(deadline=None)
@given(STEPS, st.integers(0, 1_000))
def test_whatever_happens_the_boards_come_out_the_same(steps: list[tuple[str, int, int]], seed: int) -> None:
    world = World(*names(5), seed=seed, loss=0.2, twice=0.2)
    added = 0
    restarted = False
    for step, who, what in steps:
        name = f"n{who}"
        match step:
            case "put":
                world.put(name, f"k{what}", what)
            case "delete":
                world.put(name, f"k{what}", None)
            case "add":
                world.add(name, "n", what)
                added += what
            case "run":
                world.run(what)
            case "skew":
                world.skew[name] = float(what)
            case "restart":
                restarted = True
                world.start(name)
            case _:
                world.cut ^= {name}
    world.cut.clear()
    world.rounds_until_same()
    counts = {machine.board.count("n") for machine in world.machines.values()}
    assert len(counts) == 1
    assert restarted or counts == {added}


def test_what_is_read_and_then_written_wins_whatever_the_clocks_show() -> None:
    world = World("a", "b")
    world.skew = {"a": 30.0, "b": -20.0}
    world.put("a", "jam/bridge", "closed")
    world.rounds_until_same()
    world.put("b", "jam/bridge", "open")
    world.rounds_until_same()
    assert world.machines["a"].board.note("jam/bridge") == "open"


def test_two_sides_of_a_partition_come_together() -> None:
    world = World(*names(12), seed=3)
    world.put("n0", "x", 0)
    world.rounds_until_same()
    world.cut = set(names(6))
    world.put("n0", "x", 1)
    world.put("n11", "x", 2)
    for name in names(12):
        world.add(name, "n")
        world.put(name, name, True)
    world.run(20)
    assert world.machines["n0"].board.note("x") == 1
    assert world.machines["n11"].board.count("n") == 6
    world.cut.clear()
    assert world.rounds_until_same() <= 2 * ceil(log2(12)) + 3
    assert world.machines["n0"].board.count("n") == 12


# -- what is said ------------------------------------------------------------------------------------------------------


def test_at_rest_a_node_says_one_small_thing_a_period() -> None:
    world = World(*names(8))
    for number in range(200):
        world.put("n0", f"k{number}", "x" * 50)
    world.rounds_until_same()
    world.run(10)
    world.sent.clear()
    world.run(10)
    assert len(world.sent) in range(70, 90)
    assert max(message.ByteSize() for message in world.sent) < 40


def test_a_newcomer_is_told_all_in_messages_of_a_bounded_size() -> None:
    config = BlackboardConfig(period_s=1.0, message_bytes=4_096, max_value_bytes=1_000, burst=4)
    world = World("a", "b", config=config)
    for number in range(300):
        world.put("a", f"k{number}", "x" * 100)
    world.rounds_until_same()
    world.start("late")
    world.sent.clear()
    took = world.rounds_until_same()
    assert 1 <= took <= 12  # 300 items, 18 a message, 4 messages an answer, two or three comparisons a round
    assert max(message.ByteSize() for message in world.sent) <= 4_096


def test_a_change_is_sent_and_not_the_board() -> None:
    world = World("a", "b")
    for number in range(200):
        world.put("a", f"k{number}", "x" * 100)
    world.rounds_until_same()
    world.run(5)
    world.sent.clear()
    world.put("b", "k7", "y")
    world.add("b", "n")
    world.rounds_until_same()
    world.run(5)
    told = [note.key for message in world.sent for note in message.notes]
    assert set(told) == {"k7"}
    assert sum(message.ByteSize() for message in world.sent) < 1_500


def test_what_differs_is_found_and_nothing_else_is_sent() -> None:
    world = World("a", "b")
    for number in range(200):
        world.put("a", f"k{number}", "x" * 100)
    world.rounds_until_same()
    world.cut = {"b"}
    for number in range(3):
        world.put("a", f"k{number}", "new")
        world.put("b", f"k{10 + number}", "new")
    world.put("a", "k100", "by a")
    world.now += 1.0
    world.put("b", "k100", "by b")
    world.run(10)  # nobody hears it, and it is no news any more
    world.cut.clear()
    world.sent.clear()
    assert world.rounds_until_same() == 1
    told = sorted(note.key for message in world.sent for note in message.notes)
    assert set(told) == {"k0", "k1", "k2", "k10", "k11", "k12", "k100"}
    assert len(told) <= 2 * 8  # both may ask in one round
    assert world.machines["a"].board.note("k100") == "by b"


def test_what_is_new_to_a_node_is_its_news_and_what_it_was_lacking_is_not() -> None:
    world = World("a", "b", "c")
    machine = world.machines["a"]
    note = Note("x", Stamp(1, 0, "b@2"), 1)
    for kind, told in ((PacketKind.ITEMS, []), (PacketKind.BEAT, ["y", "y"])):
        heard = replace(note, key="x" if kind is PacketKind.ITEMS else "y")
        world.hear("a", replace(beat(heard), kind=kind))
        world.now = machine.next_deadline()
        effects = machine.tick(world.now, world.wall("a"))
        items = [item for effect in effects if isinstance(effect, Send) for item in effect.packet.items]
        assert [item.id.name for item in items] == told


def test_an_answer_is_a_few_messages_at_most() -> None:
    world = World("a", config=replace(CONFIG, message_bytes=2_048, max_value_bytes=1_000, burst=3))
    for number in range(100):
        world.put("a", f"k{number}", "x" * 500)
    for kind, more in (
        (PacketKind.HAVE, {"opened": tuple(range(64))}),
        (PacketKind.ITEMS, {"want": tuple(fingerprint(item) for item in world.machines["a"].board)}),
    ):
        effects = world.hear("a", replace(beat(), kind=kind, **more))
        assert len(effects) == 3


def test_alone_nobody_is_told_and_a_peer_that_comes_hears_it_all() -> None:
    world = World("a")
    world.put("a", "x", 1)
    world.run(3)
    assert world.sent == []
    world.start("b")
    world.rounds_until_same()
    assert world.changed == [("a", "x"), ("b", "x")]


def test_rounds_that_were_missed_are_not_made_up_for() -> None:
    world = World("a", "b")
    machine = world.machines["a"]
    assert machine.tick(machine.next_deadline() - 0.01, WALL) == []
    assert len(machine.tick(100.0, WALL)) == 1
    assert machine.next_deadline() == 100.5
    assert machine.tick(100.4, WALL) == []


# -- counters ----------------------------------------------------------------------------------------------------------


def test_a_life_that_begins_again_counts_beside_what_it_has_counted() -> None:
    world = World("a", "b")
    world.add("a", "n", 5)
    world.rounds_until_same()
    world.start("a")
    world.add("a", "n", 1)  # it has not heard of its five yet
    world.rounds_until_same()
    assert world.machines["a"].board.count("n") == world.machines["b"].board.count("n") == 6


def test_what_another_says_of_my_count_is_believed_upwards_only() -> None:
    world = World("a")
    world.add("a", "n", 5)
    actor = world.machines["a"].actor
    world.hear("a", beat(Tally("n", actor, 3, 0)))
    assert world.machines["a"].board.count("n") == 5
    world.hear("a", beat(Tally("n", actor, 9, 0)))  # a lie, or a mistake: trust within the team
    world.add("a", "n", 1)
    assert world.machines["a"].board.get(Id("n", actor)) == Tally("n", actor, 10, 0)


def test_a_counter_goes_down_too_and_not_beyond_64_bits() -> None:
    world = World("a")
    world.add("a", "n", -3)
    world.add("a", "n", 0)
    assert world.machines["a"].board.count("n") == -3
    world.add("a", "n", (1 << 63) - 1)
    with pytest.raises(ValueError, match="64 bits"):
        world.add("a", "n", 1)
    world.add("a", "zero", 0)
    assert world.machines["a"].board.counts() == {"n": (1 << 63) - 4}


# -- clocks ------------------------------------------------------------------------------------------------------------


def test_a_clock_years_ahead_is_refused_and_what_is_a_little_ahead_comes_later() -> None:
    world = World("a", "b", "c")
    world.skew["b"] = 3e8
    world.skew["c"] = CONFIG.max_ahead_s + 5.0
    world.put("b", "x", "from the future")
    world.put("c", "y", "a little early")
    world.run(4)
    a = world.machines["a"]
    assert (a.board.note("x"), a.board.note("y")) == (None, None)
    assert a.refused_ahead > 0
    world.run(4)
    assert (a.board.note("x"), a.board.note("y")) == (None, "a little early")
    world.put("a", "x", "now")
    world.run(4)
    assert world.machines["c"].board.note("x") == "now"
    assert all(item.stamp.wall_ms < (WALL + 100.0) * 1000.0 for item in a.board if isinstance(item, Note))


# -- deleting ----------------------------------------------------------------------------------------------------------


def test_what_is_deleted_stays_deleted_and_is_forgotten_in_the_end() -> None:
    world = World(*names(4), config=BlackboardConfig(period_s=1.0, forget_s=50.0))
    world.put("n0", "x", 1)
    world.rounds_until_same()
    world.cut = {"n3"}
    world.put("n1", "x", None)
    world.run(20)
    assert world.machines["n3"].board.note("x") == 1
    world.cut.clear()
    world.rounds_until_same()
    assert [len(machine.board.deleted) for machine in world.machines.values()] == [1] * 4
    world.run(40)
    assert [len(machine.board) for machine in world.machines.values()] == [0] * 4


def test_who_was_away_for_longer_brings_back_what_was_deleted() -> None:
    """The price of forgetting, as the guide says it."""
    world = World("a", "b", config=BlackboardConfig(period_s=1.0, forget_s=50.0))
    world.put("a", "x", 1)
    world.rounds_until_same()
    world.cut = {"b"}
    world.put("a", "x", None)
    world.run(60)
    world.cut.clear()
    world.rounds_until_same()
    assert world.machines["a"].board.note("x") == 1


def test_an_old_deletion_is_taken_where_it_deletes_and_nowhere_else() -> None:
    world = World("a", config=BlackboardConfig(period_s=1.0, forget_s=50.0))
    board = world.machines["a"].board
    old = Note("x", Stamp(int((WALL - 60.0) * 1000), 0, "b@1"), None)
    world.hear("a", beat(old))
    assert len(board) == 0
    world.hear("a", beat(replace(old, stamp=Stamp(int((WALL - 70.0) * 1000), 0, "b@1"), value=1)))
    world.hear("a", beat(old))
    assert board.note("x") is None
    world.run(2)
    assert len(board) == 0


def test_deleting_what_is_not_there_leaves_no_trace() -> None:
    world = World("a")
    world.put("a", "x", None)
    assert len(world.machines["a"].board) == 0
    assert world.changed == []


# -- limits ------------------------------------------------------------------------------------------------------------


def test_a_full_board_says_so_and_takes_what_makes_it_no_fuller() -> None:
    world = World("a", config=SMALL)
    for number in range(8):
        world.put("a", f"k{number}", "xx")
    with pytest.raises(BoardFull, match="8 entries"):
        world.put("a", "k8", "xx")
    with pytest.raises(BoardFull):
        world.add("a", "n")
    world.put("a", "k0", "yy")
    world.put("a", "k1", None)
    assert world.machines["a"].board.notes("k0") == {"k0": "yy"}


def test_bytes_are_limited_too() -> None:
    world = World("a", config=SMALL)
    for number in range(3):
        world.put("a", f"k{number}", "x" * 450)
    with pytest.raises(BoardFull, match="bytes"):
        world.put("a", "k3", "x" * 450)
    world.put("a", "k0", "")


def test_what_two_have_written_at_once_fits_and_what_a_flood_brings_does_not() -> None:
    world = World("a", "b", config=SMALL)
    for number in range(8):
        world.put("a", f"a{number}", 1)
        world.put("b", f"b{number}", 1)
    world.rounds_until_same()
    a = world.machines["a"]
    assert len(a.board) == 16
    world.hear("a", beat(*(Tally(f"c{number}", "c@9", 1, 0) for number in range(50))))
    assert (len(a.board), a.refused_full) == (16, 50)
    with pytest.raises(BoardFull):
        world.put("a", "more", 1)


def test_a_value_that_no_message_of_ours_would_hold_is_not_taken() -> None:
    world = World("a", config=SMALL)
    world.hear("a", beat(Note("x", Stamp(1, 0, "b@1"), "x" * 5_000)))
    assert (len(world.machines["a"].board), world.machines["a"].refused_full) == (0, 1)


def test_nonsense_in_answers_is_borne() -> None:
    world = World("a")
    world.put("a", "x", 1)
    packet = beat()
    for kind, more in (
        (PacketKind.HAVE, {"opened": range(64), "have": range(10)}),
        (PacketKind.ITEMS, {"want": range(10)}),
        (PacketKind.BUCKETS, {"sums": range(64)}),
    ):
        effects = world.hear("a", replace(packet, kind=kind, **{name: tuple(what) for name, what in more.items()}))
        assert len([effect for effect in effects if isinstance(effect, Send)]) <= 2


# -- knobs -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "knobs",
    [
        {"period_s": 0.0},
        {"forget_s": float("nan")},
        {"max_ahead_s": -1.0},
        {"fanout": 0},
        {"max_entries": 0},
        {"max_value_bytes": 65_536},
        {"burst": 0},
    ],
)
def test_knobs_that_make_no_sense_are_refused(knobs: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match="blackboard"):
        BlackboardConfig(**knobs)  # type: ignore[arg-type]


def test_presets_differ_in_period_and_memory() -> None:
    assert local().period_s < lan().period_s < wan().period_s
    assert local().forget_s < lan().forget_s < wan().forget_s
    assert [CONFIG.rounds(nodes) for nodes in (1, 9, 10, 128)] == [2, 2, 4, 6]


def test_news_is_told_until_it_has_come_back_often_enough_but_not_for_older_words() -> None:
    world = World("a", *names(9))  # ten nodes: four rounds
    world.put("a", "x", 1)
    a = world.machines["a"]
    note = a.board.get(Id("x"))
    assert isinstance(note, Note)
    for _ in range(9):
        world.hear("a", beat(Note("x", Stamp(1, 0, "b@2"), "older")))
    for _ in range(3):
        world.hear("a", beat(note))
    told: list[int] = []
    for _ in range(3):
        world.now = a.next_deadline()
        effects = a.tick(world.now, world.wall("a"))
        told.append(sum(len(effect.packet.items) for effect in effects if isinstance(effect, Send)))
    assert told == [2, 0, 0]
