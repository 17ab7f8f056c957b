"""What the machines do together: joining, detecting, suspecting, telling; each part of Lifeguard by itself."""

from __future__ import annotations

import statistics
from random import Random

import pytest

from agentbus.membership import MembershipConfig, Swim
from agentbus.membership.model import (
    AgentEntry,
    ChangeKind,
    Describe,
    Effect,
    Leave,
    Link,
    Notify,
    Packet,
    PacketKind,
    Send,
    State,
    Word,
)
from tests.membership.world import World, quick


def alive(node: str, *, epoch: int = 1, incarnation: int = 0) -> Word:
    return Word(state=State.ALIVE, node=node, epoch=epoch, life=epoch, incarnation=incarnation)


def join(node: str, *, epoch: int = 1, told: bool = True) -> Packet:
    return Packet(PacketKind.JOIN, node, epoch, int(not told), "", (alive(node, epoch=epoch),))


def alone(*others: str, config: MembershipConfig | None = None) -> Swim:
    """A machine "me" that has heard of others and says nothing to anybody but the test."""
    machine = Swim("me", 1, config or quick(), Random(1), 0.0)
    machine.start(0.0)
    for other in others:
        machine.handle(join(other), 0.0)
    return machine


def sent(effects: list[Effect], kind: PacketKind) -> list[Send]:
    return [effect for effect in effects if isinstance(effect, Send) and effect.packet.kind is kind]


def drive(machine: Swim, until: float) -> list[Effect]:
    """Ticks it at each deadline; nobody answers but itself."""
    effects: list[Effect] = []
    while (due := machine.next_deadline()) is not None and due <= until:
        for effect in machine.tick(due):
            effects.append(effect)
            if isinstance(effect, Send) and effect.to == "me":
                effects.extend(machine.handle(effect.packet, due))
    return effects


# -- joining -------------------------------------------------------------------------------------------------------


def test_two_find_one_another() -> None:
    world = World(1)
    world.start("a")
    world.run(3.0)
    world.start("b")
    world.run(0.5)
    assert world.agrees()
    assert [(told.by, told.node) for told in world.changes(ChangeKind.JOINED)] == [("a", "b"), ("b", "a")]


def test_128_starting_within_one_second_know_one_another_at_once() -> None:
    world = World(1)
    for number in range(128):
        world.start(f"m{number}", at=world.now + 1 / 128)
    assert world.until(world.agrees, limit_s=2.0) <= 0.5
    assert not world.changes(ChangeKind.SUSPECTED, ChangeKind.FAILED)


def test_a_start_of_many_is_no_storm() -> None:
    world = World(1)
    world.keep_packets = True
    for number in range(128):
        world.start(f"m{number}", at=world.now + 1 / 128)
    world.run(1.0)
    tables = [packet for _, _, packet in world.packets if packet.kind in (PacketKind.ASK, PacketKind.TELL)]
    joins = {packet for _, _, packet in world.packets if packet.kind is PacketKind.JOIN}
    assert len(tables) < 8 * 128  # about three answers each, and the first push-pulls
    assert len(joins) < 1.3 * 128
    spoken = sum(sum(word.size for word in packet.words) for _, _, packet in world.packets)
    assert spoken / 128 < 150_000  # bytes a node, in two seconds


def test_a_joiner_that_nobody_told_asks_again() -> None:
    machine = alone()
    joins = [effect for effect in drive(machine, 8.0) if not isinstance(effect, Send)]
    assert 2 <= len(joins) <= 4  # after 1, 2, 4 seconds, with jitter


def test_all_know_what_a_node_hosts_and_what_it_hosts_later() -> None:
    world = World(1)
    world.populate(10)
    first, second = AgentEntry(name="x", answers=("Q",)), AgentEntry(name="y", tags={"zone": "1"})

    def hosted() -> list[tuple[AgentEntry, ...]]:
        return [world.machines[f"m{n}"].beliefs.members.by_name["late"].agents for n in range(10)]

    world.start("late", agents=(first,))
    world.run(1.0)
    assert hosted() == [(first,)] * 10
    world.do("late", Describe((first, second)))
    world.run(1.0)
    assert hosted() == [(first, second)] * 10
    assert len(world.changes(ChangeKind.CHANGED, node="late")) == 10
    assert not world.changes(ChangeKind.SUSPECTED)


def test_who_leaves_is_known_to_have_left_and_not_to_have_failed() -> None:
    world = World(1)
    world.populate(20)
    world.leave("m3")
    world.run(1.0)
    assert world.agrees()
    assert {told.kind for told in world.changes(*ChangeKind, node="m3", since=6.0)} == {ChangeKind.LEFT}
    assert len(world.changes(ChangeKind.LEFT, node="m3")) == 19


def test_after_its_last_word_a_machine_is_silent() -> None:
    machine = alone("a")
    assert machine.handle(Leave(), 1.0)
    assert machine.over
    assert machine.next_deadline() is None
    assert machine.tick(2.0) == machine.handle(join("b"), 2.0) == []


# -- detecting -----------------------------------------------------------------------------------------------------


def test_a_crash_among_128_is_declared_in_time_and_known_to_all() -> None:
    world = World(7)
    world.populate(128)
    firsts: list[float] = []
    spreads: list[float] = []
    for _ in range(5):
        victim, began = world.rng.choice(sorted(world.machines)), world.now
        world.crash(victim)
        world.run(4.0)
        known = sorted(told.at - began for told in world.changes(ChangeKind.FAILED, node=victim, since=began))
        assert len(known) == 127
        firsts.append(known[0])
        spreads.append(statistics.median(known) - known[0])
        world.start(victim)
        world.run(0.5)
        assert world.agrees()
    assert statistics.median(firsts) <= 2.0
    assert max(firsts) <= 4.0
    assert statistics.median(spreads) <= 0.5
    assert len(world.changes(ChangeKind.FAILED)) == 5 * 127


@pytest.mark.parametrize("order", ["random", "round-robin"])
def test_both_orders_detect(order: str) -> None:
    world = World(3, quick(probe_order=order))
    world.populate(16)
    world.crash("m5")
    assert world.until(world.agrees, limit_s=5.0) < 3.0


def test_nobody_fails_at_rest_and_on_a_network_that_loses() -> None:
    quiet = World(5)
    quiet.populate(32)
    quiet.run(60.0)
    assert not quiet.changes(ChangeKind.SUSPECTED, ChangeKind.FAILED)
    lossy = World(5, loss=0.05)
    lossy.populate(32)
    lossy.run(30.0)
    assert not lossy.changes(ChangeKind.FAILED)


def test_the_traffic_of_a_node_does_not_grow_with_the_number_of_nodes() -> None:
    rates: list[float] = []
    for size in (16, 128):
        world = World(2)
        world.populate(size)
        before = sum(world.sent.values())
        world.run(5.0)
        sent_to_all = sum(world.sent.values()) - before
        rates.append(sent_to_all / size / 5.0)
    assert max(rates) / min(rates) < 1.2


# -- Lifeguard -----------------------------------------------------------------------------------------------------


def test_a_probe_without_an_answer_is_made_by_others_then_becomes_a_suspicion() -> None:
    machine = alone("a", "b", "c", "d", "e")
    effects = drive(machine, 0.6)
    ping = sent(effects, PacketKind.PING)[0]
    asked = sent(effects, PacketKind.PING_REQUEST)[:3]
    assert len({send.to for send in asked}) == 3
    assert all(send.packet.target == ping.to != send.to for send in asked)
    suspected = [effect for effect in effects if isinstance(effect, Notify) and effect.kind is ChangeKind.SUSPECTED]
    assert suspected[0].word.node == ping.to
    assert suspected[0].word.by == ("me",)


def test_who_is_suspected_is_told_first() -> None:
    effects = drive(alone("a", "b", "c", "d", "e"), 0.6)
    suspected = next(effect for effect in effects if isinstance(effect, Notify) and effect.kind is ChangeKind.SUSPECTED)
    later = effects[effects.index(suspected) :]
    assert isinstance(later[1], Send)
    assert later[1].to == suspected.word.node
    assert later[1].packet.words == (suspected.word,)


@pytest.mark.parametrize("buddy", [True, False])
def test_a_suspected_node_is_told_by_whoever_pings_it(buddy: bool) -> None:
    machine = alone("a", "b", "c", config=quick(buddy=buddy))
    accusation = Word(state=State.SUSPECT, node="c", epoch=1, life=1, incarnation=0, by=("b",))
    machine.handle(Packet(PacketKind.GOSSIP, "a", 1, 0, "", (accusation,)), 0.01)
    machine.beliefs.news.drop("c")  # it is no news any more
    ping = next(send for send in sent(drive(machine, 3.0), PacketKind.PING) if send.to == "c")
    assert (accusation in ping.packet.words) == buddy


def test_missing_nacks_tell_that_this_node_is_not_well() -> None:
    silent = alone("a", "b", "c", "d", config=quick(max_health=8))
    drive(silent, 0.45)
    assert silent.beliefs.awareness.score >= 3
    machine = alone("a", "b", "c", "d")
    effects: list[Effect] = []
    while not (asked := sent(effects, PacketKind.PING_REQUEST)):
        effects = drive(machine, machine.next_deadline() or 0.0)
    for send in asked:
        nack = Packet(PacketKind.NACK, send.to, 1, send.packet.sequence, send.packet.target)
        machine.handle(nack, (machine.next_deadline() or 0.0) - 0.01)
    drive(machine, machine.next_deadline() or 0.0)
    assert machine.beliefs.awareness.score == 0


def test_a_node_that_is_not_well_probes_slower() -> None:
    machine = alone("a")
    machine.beliefs.awareness.apply(4)
    assert len(sent(drive(machine, 3.0), PacketKind.PING)) <= 4  # one a second, not five


def test_a_ping_in_anothers_place_is_answered_or_denied() -> None:
    machine = alone("a", "b")
    request = Packet(PacketKind.PING_REQUEST, "a", 1, 77, "b")
    [ping] = sent(machine.handle(request, 0.01), PacketKind.PING)
    assert ping.to == "b"
    answer = machine.handle(Packet(PacketKind.ACK, "b", 1, ping.packet.sequence, "b"), 0.02)
    [ack] = sent(answer, PacketKind.ACK)
    assert (ack.to, ack.packet.sequence, ack.packet.target) == ("a", 77, "b")
    machine.handle(request, 0.03)
    [nack] = sent(drive(machine, 0.2), PacketKind.NACK)
    assert (nack.to, nack.packet.sequence) == ("a", 77)


def test_a_false_accusation_is_refuted() -> None:
    world = World(2)
    world.populate(32)
    accused = world.machines["m1"].beliefs.own
    said = Word(state=State.SUSPECT, node="m1", epoch=accused.epoch, life=accused.life, incarnation=0, by=("m2",))
    world.do("m3", Packet(PacketKind.GOSSIP, "m2", world.machines["m2"].epoch, 0, "", (said,)))
    world.run(3.0)
    assert world.agrees()
    assert world.changes(ChangeKind.SUSPECTED, node="m1")
    assert not world.changes(ChangeKind.FAILED)
    assert {world.machines[f"m{n}"].beliefs.members.by_name["m1"].word.incarnation for n in range(2, 32)} == {1}


def test_packets_hold_no_more_than_they_may() -> None:
    world = World(4, quick(packet_bytes=1_024, agents_bytes=512, table_bytes=2_048))
    world.keep_packets = True
    world.populate(64)
    world.crash("m1", "m2", "m3", "m4")
    world.run(5.0)
    assert world.agrees()
    sizes = dict.fromkeys(PacketKind, 0)
    for _, _, packet in world.packets:
        sizes[packet.kind] = max(sizes[packet.kind], sum(word.size for word in packet.words))
    tables = (PacketKind.ASK, PacketKind.TELL)
    assert max(size for kind, size in sizes.items() if kind in tables) <= 2_048 + 100
    assert max(size for kind, size in sizes.items() if kind not in tables) <= 1_024 + 100  # and the claim beside


# -- the own link --------------------------------------------------------------------------------------------------


def test_without_an_echo_nobody_is_suspected() -> None:
    machine = alone("a", "b", "c")
    effects: list[Effect] = []
    while (due := machine.next_deadline()) is not None and due < 30.0:
        effects += machine.tick(due)
    assert sent(effects, PacketKind.ECHO)
    assert not [effect for effect in effects if isinstance(effect, Notify)]
    assert len(machine.beliefs.members.living) == 3


def test_no_verdict_after_a_stop() -> None:
    machine = alone("a", "b", "c", "d", "e")
    drive(machine, 0.6)
    [suspect] = machine.beliefs.members.suspected or {"none"}
    assert suspect != "none"
    late: list[Effect] = []
    while (due := machine.next_deadline()) is not None and due <= 100.0:
        late += machine.tick(100.0)
    assert not [effect for effect in late if isinstance(effect, Notify)]
    refuted = Packet(PacketKind.GOSSIP, suspect, 1, 0, "", (alive(suspect, incarnation=1),))
    machine.handle(refuted, 100.001)
    assert not machine.beliefs.members.suspected


def test_while_there_is_no_link_nothing_is_done() -> None:
    machine = alone("a", "b")
    machine.handle(Link(False), 1.0)
    assert machine.next_deadline() is None
    assert machine.tick(5.0) == []
    machine.handle(Link(True), 11.0)
    due = machine.next_deadline()
    assert due is not None
    assert 11.0 <= due <= 11.3
