"""Watching, as a machine: who is far from the fleet, and who is not."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentbus import Peer, PeerId
from agentbus.detection.verdicts import Finding, Witness
from agentbus.detection.watch import Measured, Suspicion, Watch, WatchConfig
from agentbus.detection.watch.rates import Rates, measured
from agentbus.errors import ConfigurationError
from agentbus.faults import ERRING, OVERLOADED, SILENT, SLOW
from agentbus.statistics import AgentStatistics, Counters, NodeStatistics

CONFIG = WatchConfig()
STEP_S = CONFIG.report_s


class Nodes:
    def __init__(self, size: int) -> None:
        self.peers = [Peer(id=PeerId(f"w-{number}", 7), node=f"n-{number}") for number in range(size)]

    def alive(self) -> Sequence[Peer]:
        return self.peers

    def get(self, name: str) -> Peer | None:
        return next((peer for peer in self.peers if peer.id.name == name), None)


class World:
    """An observer on ``n-0`` that is given values, step by step."""

    def __init__(self, size: int = 12, config: WatchConfig = CONFIG) -> None:
        self.nodes = Nodes(size)
        self.watch = Watch("n-0", self.nodes, config)
        self.now = 0.0
        self.suspected: set[tuple[str, str]] = set()

    def step(self, values: Sequence[float], count: int = 1, measure: str = "latency") -> set[tuple[str, str]]:
        for _ in range(count):
            self.now += STEP_S
            taken = [
                Measured(peer.id, peer.node, measure, value, "g", SLOW, CONFIG.latency_floor_s)
                for peer, value in zip(self.nodes.peers, values, strict=False)
            ]
            self.watch.take(taken, self.now)
            self.suspected |= {(found.kind, found.agent.name) for found in self.watch.suspicions(self.now)}
        return self.suspected

    def finding(self, number: int, measure: str = "latency") -> Finding:
        return self.watch.finding(SLOW, PeerId(f"w-{number}", 7), measure, self.now)


def test_one_who_becomes_slow_is_suspected_after_a_while_and_not_before() -> None:
    world = World()
    assert world.step([0.1] * 12, 20) == set()
    assert world.finding(3) is Finding.DENIED
    slow = [0.1] * 12
    slow[3] = 1.0
    assert world.step(slow, 2) == set()
    assert world.finding(3) is not Finding.DENIED
    assert world.step(slow, 2) == {(SLOW, "w-3")}
    assert world.finding(3) is Finding.CONFIRMED
    assert world.finding(4) is Finding.DENIED


def test_one_who_is_slow_from_the_start_is_suspected() -> None:
    assert World().step([0.1] * 11 + [2.0], 4) == {(SLOW, "w-11")}


def test_a_single_spike_is_nothing() -> None:
    world = World()
    for count in range(40):
        world.step([0.1] * 11 + [5.0 if count % 3 == 0 else 0.1])
    assert world.suspected == set()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.floats(1e-4, 2.0), st.floats(1.0, 100.0))
def test_a_fleet_that_is_slow_together_suspects_nobody(seed: int, base: float, factor: float) -> None:
    world, chance = World(), random.Random(seed)
    for count in range(60):
        level = base * (factor if count >= 30 else 1.0)
        world.step([level * chance.uniform(0.8, 1.25) for _ in range(12)])
    assert world.suspected == set()


def test_an_observer_whose_link_is_bad_suspects_nobody() -> None:
    world = World()
    world.step([0.01] * 12, 20, "reply")
    world.step([0.0, *[3.0] * 11], 20, "reply")
    assert world.suspected == set()


def test_an_observer_that_was_late_itself_says_nothing_for_a_while() -> None:
    world = World()
    slow = [0.1] * 11 + [2.0]
    world.step(slow, 3)
    world.watch.late(1.0, world.now)
    assert world.step(slow, 2) == set()
    assert world.finding(11) is Finding.UNKNOWN
    assert world.step(slow, 6) == {(SLOW, "w-11")}


def test_few_are_not_compared_nor_cold_values_nor_small_ones() -> None:
    assert World(4).step([0.1, 0.1, 0.1, 9.0], 20) == set()
    assert World().step([0.001] * 11 + [0.04], 20) == set()
    world = World()
    assert world.step([0.1] * 11 + [9.0], 1) == set()
    assert world.finding(11) is Finding.UNKNOWN
    assert world.finding(5) is Finding.UNKNOWN
    assert world.watch.finding(SLOW, PeerId("nobody", 1), "latency", world.now) is Finding.UNKNOWN


def test_who_was_always_different_is_judged_by_its_own_past() -> None:
    """A worker whose share is larger: three times the others', within the fleet's limits; then ten times."""
    world = World()
    chance = random.Random(1)
    for _ in range(40):
        world.step([chance.uniform(0.05, 0.2) for _ in range(11)] + [0.3])
    assert world.suspected == set()
    for _ in range(6):
        world.step([chance.uniform(0.05, 0.2) for _ in range(11)] + [3.0])
    assert world.suspected == {(SLOW, "w-11")}


def test_a_node_of_which_nothing_is_heard_is_silent_unless_nothing_is_heard_at_all() -> None:
    def run(silent: int) -> tuple[list[Suspicion], Watch, float]:
        world = World()
        now = 0.0
        while now < 3 * CONFIG.silent_s:
            now += STEP_S
            for number, peer in enumerate(world.nodes.peers):
                if number >= silent or now < CONFIG.silent_s:
                    world.watch.heard(Witness(peer.id, peer.node), now)
        return world.watch.suspicions(now), world.watch, now

    found, watch, now = run(2)
    assert found == [Suspicion(SILENT, PeerId("w-1", 7), "n-1", "silence")]  # n-0 is the observer's own
    assert watch.finding(SILENT, PeerId("w-1", 7), "silence", now) is Finding.CONFIRMED
    assert watch.finding(SILENT, PeerId("w-5", 7), "silence", now) is Finding.DENIED
    assert watch.finding(SILENT, PeerId("w-99", 7), "silence", now) is Finding.UNKNOWN
    found, watch, now = run(9)
    assert found == []
    assert watch.finding(SILENT, PeerId("w-1", 7), "silence", now) is Finding.UNKNOWN


def test_after_nobody_was_heard_who_comes_back_last_is_not_silent() -> None:
    """A broker that was away: all are back but one, which takes three seconds longer."""
    world = World()
    others = world.nodes.peers[1:]
    for step in range(40):
        for peer in others:
            world.watch.heard(Witness(peer.id, peer.node), step * STEP_S)
    back = 40 * STEP_S + CONFIG.silent_s - 1.0
    suspected: list[Suspicion] = []
    for step in range(60):
        now = back + step * STEP_S
        for peer in others[0 if now > back + 3.0 else 1 :]:
            world.watch.heard(Witness(peer.id, peer.node), now)
        suspected += world.watch.suspicions(now)
    assert suspected == []


def test_who_is_gone_is_forgotten() -> None:
    world = World()
    world.step([0.1] * 11 + [2.0], 3)
    del world.nodes.peers[11]
    world.step([0.1] * 11, 5)
    assert world.suspected == set()
    assert world.finding(11) is Finding.UNKNOWN


def test_loads_are_what_happened_since_the_report_before() -> None:
    def counts(handled: int, failed: int, busy_s: float, queued: int) -> NodeStatistics:
        behaviors = {
            "hear": Counters(received=handled, handled=handled, failed=failed, busy_s=busy_s),
            "tick": Counters(),
        }
        agent = AgentStatistics(name="w", state="running", restarts=0, queued=queued, behaviors=behaviors)
        return NodeStatistics(
            name="n", realm="r", connected=True, frames_sent=0, frames_received=0, messages_sent=0, malformed=0,
            lost=0, unhandled=0, coalesced=0, open_calls=0, agents={"w": agent},
        )  # fmt: skip

    rates = Rates()
    (first,) = rates.since(counts(10, 0, 1.0, 0))
    assert (first.latency_s, first.error_rate, first.queued) == (0.1, 0.0, 0)
    (second,) = rates.since(counts(13, 1, 3.0, 5))
    assert (second.latency_s, second.error_rate, second.queued) == (0.5, 0.25, 5)
    (idle,) = rates.since(counts(13, 1, 3.0, 5))
    assert idle.latency_s < 0
    assert idle.error_rate < 0
    assert [value.kind for value in measured([second], "n", 1, CONFIG)] == [SLOW, ERRING, OVERLOADED]
    assert [value.measure for value in measured([idle], "n", 1, CONFIG)] == ["queue"]


def test_knobs_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="stale"):
        WatchConfig(report_s=5.0, stale_s=6.0)
    with pytest.raises(ConfigurationError, match="ratio"):
        WatchConfig(ratio=1.0)
