"""The Healer in fleets of twelve, in virtual time."""

from __future__ import annotations

from agentbus.faults import FAILED, LYING, Fault
from agentbus.healing import HealingConfig
from agentbus.healing.placement import rendezvous
from agentbus.peers import Standing
from agentbus.testing import Simulation
from tests.healing.fleet import Fleet

WITNESSES = ["n0", "n1", "n2", "n4"]


def test_a_liar_is_refused_by_all_restarted_once_and_trusted_after_probation() -> None:
    async def scenario(sim: Simulation) -> None:
        fleet = Fleet(sim)
        await fleet.start(12)
        old = fleet.nodes["n3"].epoch
        began = sim.now()
        await fleet.all_hear(fleet.fault(LYING, "n3", witnesses=WITNESSES))
        await sim.until(lambda: fleet.restarts, timeout_s=5.0)
        assert sim.now() - began < 0.5
        assert fleet.standings("n3") == {Standing.QUARANTINED}
        await sim.sleep(1.0)
        await fleet.anew("n3")
        await sim.sleep(1.0)
        assert fleet.restarts == [("n3", "worker")]
        assert len(fleet.steps("restart", "requested")) == 1
        assert fleet.standings("n3", epoch=old) - {Standing.TRUSTED} == {Standing.QUARANTINED}
        others = {
            healer.standing(peer)
            for name, healer in fleet.healers.items()
            if name != "n3"
            for peer in [p.id for p in fleet.roll.alive() if p.node == "n3"]
        }
        assert others == {Standing.PROBATION}
        await sim.sleep(15.0)
        assert fleet.standings("n3") == {Standing.TRUSTED}
        assert len(fleet.steps("rejoin", "trusted")) >= 11

    Simulation(1).run(scenario)


def test_when_the_chosen_one_dies_the_next_asks() -> None:
    async def scenario(sim: Simulation) -> None:
        fleet = Fleet(sim)
        await fleet.start(12)
        fault = fleet.fault(LYING, "n3", witnesses=WITNESSES)
        name = f"{LYING}/worker@n3/{fault.epoch}"
        order = rendezvous(f"{name}/restart", set(fleet.nodes) - {"n3"})
        sim.crash(order[0])
        await fleet.all_hear(fault, but=[order[0]])
        began = sim.now()
        await sim.until(lambda: fleet.restarts, timeout_s=5.0)
        assert 0.9 < sim.now() - began < 1.5
        await sim.sleep(5.0)
        assert fleet.restarts == [("n3", "worker")]
        assert [step.by for step in fleet.steps("restart", "requested")] == [order[1]]

    Simulation(2).run(scenario)


def test_a_latecomer_learns_of_a_quarantine_from_enough_others() -> None:
    async def scenario(sim: Simulation) -> None:
        fleet = Fleet(sim)
        await fleet.start(8)
        await fleet.all_hear(fleet.fault(LYING, "n3", witnesses=WITNESSES), but=["n3"])
        await sim.sleep(2.0)
        await fleet.add("late")
        await sim.until(lambda: fleet.standings("n3") >= {Standing.QUARANTINED}, timeout_s=1.0)
        await sim.sleep(3.0)
        assert fleet.standings("n3") == {Standing.QUARANTINED}
        told = [step for step in fleet.steps("quarantine") if step.by == "late"]
        assert len(told) == 1
        assert len(told[0].witnesses) >= 4

    Simulation(3).run(scenario)


def test_one_lying_voice_quarantines_nobody() -> None:
    async def scenario(sim: Simulation) -> None:
        fleet = Fleet(sim, HealingConfig(faulty=2))
        await fleet.start(8)
        fault = fleet.fault(LYING, "n3", witnesses=WITNESSES)
        for name in fleet.nodes:  # the liar says it to all, and claims to have witnesses
            await fleet.nodes["n5"].publish(fault, topic=name)
        await sim.sleep(20.0)
        believers = [name for name, healer in fleet.healers.items() if healer.beliefs()]
        assert believers == ["n5"]
        assert fleet.restarts == []

    Simulation(4).run(scenario)


def test_a_failed_node_is_hosted_elsewhere_once_and_is_on_probation_when_it_is_back() -> None:
    async def scenario(sim: Simulation) -> None:
        fleet = Fleet(sim)
        await fleet.start(6)
        fault = fleet.fault(FAILED, "n2", agent="")
        sim.crash("n2")
        del fleet.roll.nodes["n2"]
        await fleet.all_hear(fault)
        await sim.sleep(3.0)
        assert len(fleet.rehosted) == 1
        target, agent, node = fleet.rehosted[0]
        assert (agent, node) == ("", "n2")
        assert target != "n2"
        await fleet.anew("n2")
        await sim.sleep(1.0)
        assert {
            healer.standing(fleet.roll.alive()[2].id) for name, healer in fleet.healers.items() if name != "n2"
        } == {Standing.PROBATION}
        await sim.sleep(12.0)
        assert fleet.standings("n2") == {Standing.TRUSTED}

    Simulation(5).run(scenario)


def test_a_fault_of_unknown_epoch_is_about_the_present_life() -> None:
    async def scenario(sim: Simulation) -> None:
        fleet = Fleet(sim)
        await fleet.start(6)
        await fleet.all_hear(Fault(kind="slow", agent="worker", node="n1"))
        await sim.sleep(0.5)
        assert fleet.standings("n1") == {Standing.PROBATION}
        healer = fleet.healers["n0"]
        assert healer.weight(fleet.roll.alive()[1].id) == 0.25 * 0.5
        await fleet.all_hear(Fault(kind="slow", agent="worker", node="n1", recovered=True))
        await sim.sleep(0.5)
        assert healer.weight(fleet.roll.alive()[1].id) == 0.25
        await sim.sleep(15.0)
        assert healer.weight(fleet.roll.alive()[1].id) == 1.0

    Simulation(6).run(scenario)
