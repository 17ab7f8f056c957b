"""Detection at work: twelve nodes with their real membership, in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import ClassVar

import pytest

from agentbus import Agent, Context, PeerId, on
from agentbus.detection import Detection, quorum_of
from agentbus.detection.codec import VoteMessage, from_vote, to_vote
from agentbus.detection.verdicts import Case, Finding, Vote, Witness
from agentbus.faults import FALSE_ACCUSER, Fault
from agentbus.testing import Simulation

from .fleet import LYING, Fleet, Truth


def test_a_liar_is_convicted_by_a_quorum_on_each_node_within_two_seconds() -> None:
    async def scenario(sim: Simulation) -> None:
        sim.link(delay_s=(0.001, 0.02))
        fleet = Fleet(sim)
        await fleet.start()
        began = sim.now()
        await fleet.accuse("n-5", "n-1", "wrong/1")
        await sim.until(lambda: fleet.all_told(LYING, "n-1"), timeout_s=2.0)
        await sim.sleep(3.0)
        assert fleet.verdicts() == {(LYING, "n-1")}
        for faults in fleet.told(LYING).values():
            (fault,) = faults
            assert (fault.agent, fault.epoch) == ("ear", fleet.nodes["n-1"].epoch)
            assert len(set(fault.witnesses)) >= 4
            assert "n-1" not in fault.witnesses
        assert max(at for _, _, at in fleet.heard) - began < 0.2

    Simulation(1, limit_s=200).run(scenario)


@pytest.mark.parametrize("seed", [2])
def test_three_liars_who_vote_for_one_another_convict_nobody_honest_and_are_convicted(seed: int) -> None:
    async def scenario(sim: Simulation) -> None:
        sim.link(delay_s=(0.001, 0.05), loss=0.05)
        fleet = Fleet(sim)
        await fleet.start(liars=3)
        for liar in range(3):
            for number in range(3):
                await fleet.accuse(f"n-{liar}", f"n-{3 + 3 * liar + number}", f"invented/{liar}/{number}")
        for liar in range(3):
            await fleet.accuse(f"n-{4 + liar}", f"n-{liar}", f"wrong/{liar}")
        await sim.sleep(5.0)
        liars = {f"n-{number}" for number in range(3)}
        assert {node for _, node in fleet.verdicts()} == liars
        for liar in liars:
            assert fleet.all_told(LYING, liar)
            assert fleet.all_told(FALSE_ACCUSER, liar)

    Simulation(seed, limit_s=100).run(scenario)


def test_who_always_accuses_is_convicted_by_those_who_denied_it() -> None:
    async def scenario(sim: Simulation) -> None:
        fleet = Fleet(sim)
        await fleet.start()
        for number in range(2):
            await fleet.accuse("n-0", f"n-{1 + number}", f"fine/{number}")
        await sim.sleep(3.0)
        assert fleet.verdicts() == set()
        await fleet.accuse("n-0", "n-3", "fine/2")
        await sim.until(lambda: fleet.all_told(FALSE_ACCUSER, "n-0"), timeout_s=2.0)
        await sim.sleep(3.0)
        assert fleet.verdicts() == {(FALSE_ACCUSER, "n-0")}
        (fault,) = fleet.told(FALSE_ACCUSER)["n-7"]
        assert fault.agent == "detection"
        assert len(fault.witnesses) >= 4
        assert "n-0" not in fault.witnesses

    Simulation(2, limit_s=100).run(scenario)


def test_witnesses_who_say_nothing_keep_nobody_from_being_convicted() -> None:
    async def scenario(sim: Simulation) -> None:
        fleet = Fleet(sim)
        await fleet.start()
        for name in ("n-9", "n-10", "n-11"):
            fleet.detections[name]._given.clear()
        await fleet.accuse("n-5", "n-1", "wrong/1")
        await sim.until(lambda: fleet.all_told(LYING, "n-1"), timeout_s=2.0)

    Simulation(3, limit_s=100).run(scenario)


def test_one_voice_and_f_voices_decide_nothing() -> None:
    async def scenario(sim: Simulation) -> None:
        fleet = Fleet(sim)
        await fleet.start(4)  # of three others, at most three can confirm: one too few
        for name in ("n-1", "n-2", "n-3"):
            await fleet.accuse(name, "n-0", "wrong/1")
        await sim.sleep(30.0)
        assert fleet.heard == []

    Simulation(4, limit_s=100).run(scenario)


def test_a_stranger_is_not_heard_nor_who_speaks_for_another() -> None:
    async def scenario(sim: Simulation) -> None:
        fleet = Fleet(sim)
        await fleet.start()
        stranger = await sim.node("stranger")
        case = Case(LYING, fleet.who("n-1", "ear"), "n-1", "wrong/1")
        own = Witness(PeerId("stranger", stranger.epoch), "stranger")
        for number in range(8):
            borrowed = Witness(fleet.who(f"n-{2 + number}"), f"n-{2 + number}")
            for by in (own, borrowed):
                vote = Vote(case=case, finding=Finding.CONFIRMED, by=by, number=number + 1, accuses=True)
                await stranger.publish(to_vote(vote), topic="vote")
        await sim.sleep(5.0)
        assert fleet.heard == []
        assert all(truth.asked == [] for truth in fleet.truths.values())

    Simulation(5, limit_s=100).run(scenario)


def test_an_accusation_of_a_life_that_is_over_is_not_heard() -> None:
    async def scenario(sim: Simulation) -> None:
        fleet = Fleet(sim)
        await fleet.start()
        before = fleet.who("n-1", "ear")
        await fleet.accuse("n-5", "n-1", "wrong/1")
        await sim.until(lambda: fleet.all_told(LYING, "n-1"), timeout_s=2.0)
        again = await sim.restart("n-1")
        assert again is not None
        fleet.nodes["n-1"] = again
        await sim.until(
            lambda: all(
                any(peer.id.epoch == again.epoch for peer in node.peers.alive()) for node in fleet.nodes.values()
            )
        )
        detection = fleet.detections["n-5"]
        assert detection.convicted(before)
        assert not detection.convicted(fleet.who("n-1", "ear"))
        asked = sum(len(truth.asked) for truth in fleet.truths.values())
        await detection.accuse(LYING, before, "n-1", "wrong/2")
        await sim.sleep(2.0)
        assert sum(len(truth.asked) for truth in fleet.truths.values()) == asked

    Simulation(6, limit_s=100).run(scenario)


def test_a_fifth_of_all_messages_lost_still_decides_within_two_seconds() -> None:
    async def scenario(sim: Simulation) -> float:
        fleet = Fleet(sim)
        await fleet.start()
        sim.link(delay_s=(0.001, 0.02), loss=0.2)
        began = sim.now()
        await fleet.accuse("n-5", "n-1", "wrong/1")
        await sim.until(lambda: len({node for node, fault, _ in fleet.heard if fault.kind == LYING}) == 12)
        return sim.now() - began

    took = [Simulation(seed, limit_s=100).run(scenario) for seed in range(5)]
    assert max(took) < 2.0, took


def test_a_case_that_a_partition_cut_is_decided_on_both_sides_after_it() -> None:
    async def scenario(sim: Simulation) -> None:
        fleet = Fleet(sim)
        await fleet.start()
        sim.partition({"n-0", "n-1", "n-2", "n-3"})
        await fleet.accuse("n-2", "n-0", "wrong/1")  # n-1, n-2 and n-3 confirm: too few
        await sim.sleep(0.4)
        assert fleet.told(LYING)["n-2"] == []
        sim.heal()
        await sim.until(lambda: fleet.all_told(LYING, "n-0"), timeout_s=10.0)

    Simulation(8, limit_s=100).run(scenario)


def test_who_was_cut_off_while_the_others_decided_learns_of_it() -> None:
    async def scenario(sim: Simulation) -> None:
        fleet = Fleet(sim)
        await fleet.start()
        sim.partition({"n-11"})
        await fleet.accuse("n-2", "n-0", "wrong/1")
        await sim.sleep(5.0)
        assert fleet.told(LYING)["n-11"] == []
        assert len(fleet.told(LYING)["n-10"]) == 1
        sim.heal()
        await sim.until(lambda: fleet.told(LYING)["n-11"] != [], timeout_s=60.0)
        late = await fleet.add("late")
        await sim.until(lambda: fleet.told(LYING)["late"] != [], timeout_s=60.0)
        assert late.name == "late"

    Simulation(9, limit_s=300).run(scenario)


class Broken:
    """A reproducer that hangs, or raises."""

    def __init__(self, *, hangs: bool) -> None:
        self.hangs = hangs
        self.calls = 0
        self.running = 0
        self.most = 0

    async def reproduce(self, kind: str, accused: PeerId, evidence: str) -> Finding:
        self.calls += 1
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            if self.hangs:
                await asyncio.sleep(1000.0)
            raise ZeroDivisionError(evidence)
        finally:
            self.running -= 1


@pytest.mark.parametrize("hangs", [True, False])
def test_a_reproduction_that_hangs_or_raises_finds_out_nothing_and_keeps_nobody(hangs: bool) -> None:
    async def scenario(sim: Simulation) -> None:
        fleet = Fleet(sim)
        fleet.config = replace(fleet.config, reproduce_s=0.5, reproductions=2)
        broken = Broken(hangs=hangs)
        fleet.reproducers["n-3"] = broken
        await fleet.start(8)
        for number in range(3):
            await fleet.accuse("n-0", "n-1", f"fine/{number}", kind="lying")
        await fleet.accuse("n-5", "n-2", "wrong/1")
        await sim.until(lambda: fleet.all_told(LYING, "n-2"), timeout_s=2.0)
        await sim.sleep(20.0)
        verdicts = fleet.config.verdicts
        assert 1 <= broken.calls <= 4 * verdicts.tries
        assert broken.most <= 2
        assert broken.running == 0

    Simulation(10, limit_s=100).run(scenario)


def test_many_accusations_at_once_are_looked_at_a_few_at_a_time_and_in_turns() -> None:
    async def scenario(sim: Simulation) -> None:
        fleet = Fleet(sim)
        fleet.config = replace(fleet.config, reproduce_s=0.5, reproductions=1)
        slow = {f"n-{number}": Paced() for number in range(8)}
        fleet.reproducers.update(slow)
        await fleet.start(8)
        for number in range(16):  # a liar's: each takes a while
            await fleet.accuse("n-0", "n-1", f"fine/{number}")
        await fleet.accuse("n-5", "n-2", "wrong/1")
        await sim.until(lambda: fleet.all_told(LYING, "n-2"), timeout_s=2.0)

    Simulation(11, limit_s=100).run(scenario)


class Paced(Truth):
    """Takes 0.2 s."""

    async def reproduce(self, kind: str, accused: PeerId, evidence: str) -> Finding:
        await asyncio.sleep(0.2)
        return await super().reproduce(kind, accused, evidence)


def test_an_agent_that_fails_keeps_what_detection_knows() -> None:
    assert Detection.supervision.on_failure == "resume"


def test_scores_are_shared_and_the_fleet_s_threshold_is_known_to_all() -> None:
    async def scenario(sim: Simulation) -> None:
        fleet = Fleet(sim)
        await fleet.start(3)
        assert fleet.detections["n-0"].share("load", 0.0, 0.5) is None
        for number in range(100):
            fleet.detections[f"n-{number % 3}"].share("load", float(number), number / 100)
        await sim.sleep(1.0)
        for detection in fleet.detections.values():
            assert len(detection.scores("load")) == 101
            assert {scored.node for scored in detection.scores("load")} == {"n-0", "n-1", "n-2"}
            assert detection.share("load", 200.0, 0.995, q=0.99) is True
            assert detection.share("load", 201.0, 0.98, q=0.99) is False

    Simulation(12, limit_s=100).run(scenario)


def test_a_vote_is_the_same_after_the_wire() -> None:
    about = Case("slow", PeerId("w", 3), "n-1", "latency")
    for finding in (Finding.CONFIRMED, Finding.DENIED):
        said = Vote(
            case=about,
            finding=finding,
            by=Witness(PeerId("d", 4), "n-2"),
            number=9,
            accuses=True,
            undecided=False,
        )
        assert from_vote(VoteMessage.FromString(to_vote(said).SerializeToString())) == said
    assert from_vote(VoteMessage()).finding is Finding.UNKNOWN


class Hosted(Agent):
    """A reproducer that is an agent: built again when it fails."""

    built: ClassVar[int] = 0
    asked: ClassVar[list[int]] = []

    def __init__(self) -> None:
        Hosted.built += 1
        self.number = Hosted.built

    async def reproduce(self, kind: str, accused: PeerId, evidence: str) -> Finding:
        self.asked.append(self.number)
        return Finding.CONFIRMED

    @on(Fault, topic="stumble")
    async def stumble(self, fault: Fault, ctx: Context) -> None:
        raise RuntimeError("a defect")


def test_a_reproducer_that_was_built_again_is_asked_in_its_present_instance() -> None:
    Hosted.built, Hosted.asked = 0, []

    async def scenario(sim: Simulation) -> None:
        fleet = Fleet(sim, replace(quorum_of(1), watch=None))
        for number in range(4):
            hosted = fleet.reproducers[f"n-{number}"] = Hosted()
            await fleet.add(f"n-{number}", more={"hosted": hosted})
        await fleet.settle()
        for built in (8, 12):
            await fleet.nodes["n-0"].publish(Fault(), topic="stumble")
            await sim.until(lambda built=built: Hosted.built == built, timeout_s=5.0)
        await fleet.accuse("n-0", "n-1", "wrong/1")
        await sim.until(lambda: fleet.all_told(LYING, "n-1"), timeout_s=5.0)
        assert Hosted.asked
        assert min(Hosted.asked) > 8

    Simulation(12, limit_s=200).run(scenario)
