"""The Healer in fleets of twelve, in virtual time."""

from __future__ import annotations

import pytest

from agentbus import Agent, Context, PeerId, on
from agentbus.faults import FAILED, FALSE_ACCUSER, LYING, Fault
from agentbus.healing import Healer, HealingConfig
from agentbus.healing.codec import HealingAction, PlanReply, PlanRequest, from_fault
from agentbus.healing.placement import rendezvous
from agentbus.membership import Membership, local
from agentbus.messages import full_name
from agentbus.peers import Standing
from agentbus.subjects import type_token
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


def test_the_log_waits_for_the_broker_and_is_complete() -> None:
    async def scenario(sim: Simulation) -> None:
        fleet = Fleet(sim)
        await fleet.start(5)
        sim.crash("broker")
        healer = fleet.healers["n0"]
        await healer._step(from_fault(fleet.fault(LYING, "n3")), Context(fleet.nodes["n0"].cells["healer"]))
        await sim.sleep(8.0)
        assert len(healer._journal) >= 1
        await sim.restart("broker")
        await sim.until(lambda: not healer._journal, timeout_s=20.0)
        node = fleet.nodes["n0"]
        kept = await node.port.bus.transport.subjects(node.streams.log, ">")
        assert kept[f"default.log.{type_token(full_name(HealingAction))}.n0"] >= 1
        assert healer._journal.dropped == 0

    Simulation(7).run(scenario)


def test_a_dry_run_tells_and_does_nothing() -> None:
    async def scenario(sim: Simulation) -> None:
        fleet = Fleet(sim, HealingConfig(dry_run=True))
        await fleet.start(6)
        await fleet.all_hear(fleet.fault(LYING, "n3", witnesses=WITNESSES))
        await sim.sleep(20.0)
        assert fleet.standings("n3") == {Standing.TRUSTED}
        assert (fleet.restarts, fleet.rehosted) == ([], [])
        assert {step.outcome for step in fleet.tape} == {"dry run: nothing was changed"}
        assert {step.action for step in fleet.tape} == {"quarantine", "rehost", "restart"}

    Simulation(8).run(scenario)


class Ground:
    """An effector that fails at first."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []

    async def restart(self, agent: str, node: str, epoch: int, reason: str) -> None:
        self.asked.append(("restart", agent, node))
        if len(self.asked) < 3:
            raise OSError("no such unit")

    async def rehost(self, agent: str, node: str, epoch: int, target: str, reason: str) -> None:
        assert target not in ("", node)


def test_an_effector_of_one_s_own_is_asked_again_when_it_fails() -> None:
    async def scenario(sim: Simulation) -> None:
        fleet, ground = Fleet(sim), Ground()
        await fleet.start(6, effector=ground)
        await fleet.all_hear(fleet.fault(FALSE_ACCUSER, "n3"))
        await sim.sleep(6.0)
        assert ground.asked == [("restart", "worker", "n3")] * 3
        failed = fleet.steps("restart", "failed: OSError: no such unit")
        assert len(failed) == 2
        assert len(fleet.steps("restart", "requested")) == 1
        assert fleet.restarts == []

    Simulation(9).run(scenario)


def test_a_callback_that_raises_is_told() -> None:
    async def scenario(sim: Simulation) -> None:
        def refuse(agent: str, reason: str) -> None:
            raise RuntimeError("not me")

        fleet = Fleet(sim)
        await fleet.start(6, on_restart=refuse)
        await fleet.all_hear(fleet.fault(LYING, "n3"))
        await sim.sleep(2.0)
        assert [step.by for step in fleet.steps("restart", "failed: RuntimeError: not me")] == ["n3"]

    Simulation(10).run(scenario)


def test_with_membership_a_crashed_node_is_rehosted_and_back_on_probation() -> None:
    async def scenario(sim: Simulation) -> None:
        rehosted: list[tuple[str, str]] = []

        def agents() -> dict[str, Agent]:
            def rehost(agent: str, node: str, reason: str) -> None:
                rehosted.append((agent, node))

            return {"membership": Membership(local()), "healer": Healer(on_rehost=rehost)}

        nodes = {name: await sim.node(name, agents=agents()) for name in (f"n{number}" for number in range(12))}
        await sim.until(lambda: all(len(node.peers.alive()) == 24 for node in nodes.values()))
        await sim.sleep(1.0)
        sim.crash("n4")
        began = sim.now()
        await sim.until(lambda: rehosted, timeout_s=10.0)
        assert rehosted == [("", "n4")]
        assert sim.now() - began < 5.0
        back = await sim.restart("n4")
        assert back is not None
        await sim.sleep(2.0)
        peer = PeerId("healer", back.epoch)
        healers = [node.cells["healer"].agent for name, node in nodes.items() if name != "n4"]
        assert {healer.standing(peer) for healer in healers if isinstance(healer, Healer)} == {Standing.PROBATION}
        await sim.sleep(12.0)
        assert {healer.standing(peer) for healer in healers if isinstance(healer, Healer)} == {Standing.TRUSTED}
        assert rehosted == [("", "n4")]

    Simulation(11).run(scenario)


@pytest.mark.parametrize("seed", range(8))
def test_with_delays_and_deaths_a_liar_is_restarted_exactly_once(seed: int) -> None:
    async def scenario(sim: Simulation) -> None:
        fleet = Fleet(sim)
        await fleet.start(12)
        sim.link(delay_s=(0.002, 0.08), duplicate=0.05)
        dead = sim.rng.sample([name for name in fleet.nodes if name != "n3"], 2)
        for name in dead:  # the others do not know yet
            sim.crash(name)
        await fleet.all_hear(fleet.fault(LYING, "n3", witnesses=WITNESSES), but=dead)
        await sim.sleep(4.0)
        for name in dead:
            del fleet.roll.nodes[name]
        assert fleet.restarts == [("n3", "worker")]
        await sim.sleep(1.0)
        assert fleet.standings("n3") == {Standing.QUARANTINED}

    Simulation(seed).run(scenario)


def test_random_faults_leave_most_of_the_fleet_at_work() -> None:
    async def scenario(sim: Simulation) -> None:
        fleet = Fleet(sim, HealingConfig(faulty=3))
        await fleet.start(9)
        most = 0
        for _ in range(60):
            kind = sim.rng.choice([LYING, FALSE_ACCUSER, "slow", "erring", "silent", "overloaded"])
            await fleet.all_hear(fleet.fault(kind, sim.rng.choice(sorted(fleet.nodes))))
            await sim.sleep(sim.rng.uniform(0.0, 1.0))
            for healer in fleet.healers.values():
                refused = {belief.life.node for belief in healer.beliefs() if belief.standing is Standing.QUARANTINED}
                most = max(most, len(refused))
        assert most == 3

    Simulation(12).run(scenario)


class Clumsy(Healer):
    """Some message makes it fail."""

    @on(PlanReply, topic="stumble")
    async def stumble(self, message: PlanReply, ctx: Context) -> None:
        raise RuntimeError("a defect")


def test_a_failure_of_its_own_makes_it_forget_nothing() -> None:
    async def scenario(sim: Simulation) -> None:
        healer = Clumsy(config=HealingConfig.local())
        nodes = [await sim.node(f"n{index}", agents=[Membership(local())]) for index in range(5)]
        here = await sim.node("here", agents={"m": Membership(local()), "healer": healer})
        await sim.until(lambda: len(here.peers.alive()) >= 6)
        fault = Fault(kind=LYING, agent="w", node="n1", epoch=nodes[1].epoch, witnesses=["n2", "n3"])
        await here.publish(fault, topic="here")
        liar = PeerId("w", nodes[1].epoch)
        await sim.until(lambda: healer.standing(liar) is Standing.QUARANTINED, timeout_s=5.0)
        for _ in range(5):
            await here.publish(PlanReply(), topic="stumble")
            await sim.sleep(0.5)
        assert healer.standing(liar) is Standing.QUARANTINED
        assert here.statistics().agents["healer"].restarts == 0
        preview = await here.request(
            PlanRequest(kind=LYING, agent="w", node="n2"), PlanReply, to="healer", timeout_s=1.0
        )
        assert preview.actions

    Simulation(33).run(scenario)
