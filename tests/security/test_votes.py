"""A crowd of identities votes against the honest: how many of its votes count."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentbus import Agent, Context, PeerId, on
from agentbus.detection import Detection, Finding, quorum_of
from agentbus.faults import LYING, Fault
from agentbus.healing import Healer, HealingConfig
from agentbus.membership import Membership, local
from agentbus.peers import Standing
from agentbus.security.admission import Admitted, Application, Quota, vouch
from agentbus.security.electorate import Electorate, Register
from agentbus.security.keys import KeyPair
from agentbus.testing import Simulation

ISSUER = KeyPair(b"i" * 32)
HONEST = [f"h-{number}" for number in range(4)]
CROWD = [f"s-{number}" for number in range(4 * len(HONEST))]
KIND = "wicked"


class Says:
    """Finds what it was told to find."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding

    async def reproduce(self, kind: str, accused: PeerId, evidence: str) -> Finding:
        return self.finding


class Ear(Agent):
    def __init__(self, verdicts: list[tuple[str, Fault]]) -> None:
        self.verdicts = verdicts

    @on(Fault, topic="{node}")
    async def note(self, fault: Fault, ctx: Context) -> None:
        self.verdicts.append((ctx.node, fault))


def enrolled() -> Electorate:
    """The honest have a sponsor each; all of the crowd have one, which has used up its quota."""
    register, quota = Register("default", ISSUER), Quota(1, 3600.0, beyond="no vote")
    for number, node in enumerate(["spent", *HONEST, *CROWD]):
        sponsor = KeyPair(bytes([1 + number]) * 32) if node in HONEST else KeyPair(b"b" * 32)
        body = node.encode()
        application = Application(
            body=body,
            key=KeyPair(body.rjust(32, b"\0")).key,
            realm="default",
            node=node,
            sponsor=sponsor.key,
            vouchers=(vouch(sponsor, body, 10_000),),
        )
        decision = quota.decide(application, 0.0)
        assert isinstance(decision, Admitted)
        register.admit(application, decision, 0.0)
    register.remove(KeyPair(b"spent".rjust(32, b"\0")).key)
    return Electorate("default", ISSUER.key, register.issue(0.0)[1])


@pytest.mark.parametrize("signed", [True, False], ids=["epoch set", "by names"])
def test_none_of_the_crowds_votes_count_where_the_epoch_set_does(signed: bool) -> None:
    verdicts: list[tuple[str, Fault]] = []

    async def scenario(sim: Simulation) -> None:
        electorate = enrolled()
        assert electorate.voters == len(HONEST)
        detections: dict[str, Detection] = {}
        nodes = {}
        for name in (*HONEST, *CROWD):
            detection = detections[name] = Detection(
                replace(quorum_of(1), watch=None),
                reproducers={KIND: Says(Finding.DENIED if name in HONEST else Finding.CONFIRMED)},
                electorate=electorate if signed and name in HONEST else None,
            )
            agents = {"membership": Membership(local()), "detection": detection}
            if name in HONEST:
                agents["ear"] = Ear(verdicts)
            nodes[name] = await sim.node(name, agents=agents)
        everybody = set(nodes)
        await sim.until(lambda: all({p.node for p in n.peers.alive()} == everybody for n in nodes.values()))
        victim = PeerId("ear", nodes["h-0"].epoch)
        for name in CROWD:
            await detections[name].accuse(KIND, victim, "h-0", "invented")
        await sim.sleep(5.0)

    Simulation(seed=5, limit_s=60).run(scenario)
    convicted = [(fault.kind, by) for node, fault in verdicts if fault.node == "h-0" for by in fault.witnesses]
    if signed:
        assert not convicted
    else:
        assert {by for kind, by in convicted if kind == KIND} <= set(CROWD)
        assert convicted, "or the crowd would not be one"


@pytest.mark.parametrize("signed", [True, False], ids=["epoch set", "by names"])
def test_what_a_crowd_tells_of_a_standing_is_not_believed_where_the_epoch_set_counts(signed: bool) -> None:
    async def scenario(sim: Simulation) -> None:
        config = HealingConfig(faulty=1, dry_run=False)
        healer = Healer(config=config, electorate=enrolled() if signed else None)
        names = (*HONEST[:2], *CROWD[:3])
        healers = {name: Healer(config=config) for name in names} | {"h-0": healer}
        nodes = {
            name: await sim.node(name, agents={"membership": Membership(local()), "healer": healers[name]})
            for name in names
        }
        await nodes["h-1"].add(Ear([]), name="victim")
        await sim.until(lambda: all({p.node for p in n.peers.alive()} == set(names) for n in nodes.values()))
        await sim.sleep(2.0)
        victim = PeerId("victim", nodes["h-1"].epoch)
        for name in CROWD[:3]:
            fault = Fault(kind=LYING, agent="victim", node="h-1", epoch=victim.epoch, witnesses=CROWD[:3])
            await nodes[name].publish(fault, topic=name)
        await sim.sleep(5.0)
        assert healers["s-0"].standing(victim) is Standing.QUARANTINED
        assert healer.standing(victim) is (Standing.TRUSTED if signed else Standing.QUARANTINED)

    Simulation(seed=6, limit_s=60).run(scenario)
