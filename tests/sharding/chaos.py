"""Nine workers, and whatever may befall them, drawn from the seed."""

from __future__ import annotations

from collections.abc import Sequence

from agentbus import Node
from agentbus.errors import StorageFailed
from agentbus.peers import Peer, PeerId, PeerView
from agentbus.sharding import Journal, Outcome, ShardConfig, ShardJob
from agentbus.storage.leases import LeaseConfig
from agentbus.testing import Simulation

from .world import Chain, batches, outcome, plain_loop

AGENTS = 9
JOB = ShardJob(name="chain", shards=3)
INPUTS = batches(45, JOB)
CONFIG = ShardConfig(
    liars=1,
    segment_inputs=4,
    report_s=1.0,
    decide_s=0.25,
    patience_s=0.5,
    settle_s=3.0,
    idle_s=0.25,
    recheck_s=1.5,
    commit_s=1.0,
    leases=LeaseConfig(ask_s=1.0),
)
NOTICE_S = 2.0
"""Virtual seconds after which a silent node is taken to have failed."""


class Sight:
    """Who is alive, as a failure detector would tell it: who was cut off or dead for `NOTICE_S` is not, whoever asks;
    who is cut off itself keeps its last opinion."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.nodes: dict[str, Node] = {}
        self.silent_s: dict[str, float] = {}

    def view(self, name: str) -> PeerView:
        return _View(self, name)


class _View:
    def __init__(self, sight: Sight, name: str) -> None:
        self.sight = sight
        self.name = name
        self.last: list[Peer] = []

    def alive(self) -> Sequence[Peer]:
        sight, now = self.sight, self.sight.sim.now()
        if self.name in sight.silent_s:
            return self.last
        self.last = [
            Peer(id=PeerId(f"w{node.name[1:]}", node.epoch), node=node.name)
            for name, node in sight.nodes.items()
            if now - sight.silent_s.get(name, now) < NOTICE_S
        ]
        return self.last

    def get(self, name: str) -> Peer | None:
        return next((peer for peer in self.alive() if peer.id.name == name), None)


class Chaos:
    """One run: inputs come while faults happen, one after another; then all is healed."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.sight = Sight(sim)
        self.dead: set[str] = set()
        self.frozen: set[str] = set()
        self.cut: set[str] = set()
        self.broker_dead = False
        self.done: list[str] = []

    async def run(self, *, steps: int) -> Outcome:
        sim = self.sim
        names = [f"n{index}" for index in range(AGENTS)]
        for index, name in enumerate(names):
            agents = {f"w{index}": Chain(JOB, config=CONFIG)}
            self.sight.nodes[name] = await sim.node(name, agents=agents, peers=self.sight.view(name))
        feeder = await sim.node("feeder")
        journal = Journal(feeder.transport, "default", JOB, timeout_s=60.0)
        fed = 0
        for _ in range(steps):
            share = len(INPUTS) // steps + 1
            for index, (shard, body) in enumerate(INPUTS[fed : fed + share], start=fed):
                if not self.broker_dead:
                    await journal.put(shard, body, message_id=f"{index}")
                    fed = index + 1
            await self._fault(names)
            await sim.sleep(sim.rng.uniform(0.2, 2.5))
        await self._heal_all(names)
        for index, (shard, body) in enumerate(INPUTS[fed:], start=fed):
            await journal.put(shard, body, message_id=f"{index}")
        deadline = sim.now() + 60.0
        while True:
            try:
                found = await outcome(feeder.transport, JOB, CONFIG)
                if found.complete and found.unverified == 0:
                    return found
            except StorageFailed:
                pass
            assert sim.now() < deadline, (self.done, [(s.shard, len(s.results), s.verified) for s in found.shards])
            await sim.sleep(1.0)

    async def _fault(self, names: list[str]) -> None:
        sim, rng = self.sim, self.sim.rng
        what = rng.choice(["crash", "restart", "partition", "heal", "freeze", "thaw", "broker", "none"])
        name = rng.choice(names)
        self.done.append(f"{sim.now():.1f} {what} {name}")
        if what == "crash" and name not in self.dead and len(self.dead) < AGENTS // 2:
            self.dead.add(name)
            self.frozen.discard(name)
            sim.crash(name)
        elif what == "restart" and self.dead and not self.broker_dead:
            await self._restart(sorted(self.dead)[0])
        elif what == "partition" and not self.cut:
            self.cut = set(rng.sample(names, rng.randint(1, AGENTS // 2)))
            sim.partition(self.cut, {"broker", "feeder", *names}.difference(self.cut))
        elif what == "heal":
            self.cut = set()
            sim.heal()
        elif what == "freeze" and name not in self.dead | self.frozen:
            self.frozen.add(name)
            sim.freeze(name)
        elif what == "thaw":
            for frozen in sorted(self.frozen):
                sim.thaw(frozen)
            self.frozen = set()
        elif what == "broker":
            if not self.broker_dead:
                sim.crash("broker")
            else:
                await sim.restart("broker")
            self.broker_dead = not self.broker_dead
        self._note()

    async def _restart(self, name: str) -> None:
        if name in self.cut | self.frozen:
            return
        self.dead.discard(name)
        node = await self.sim.restart(name)
        assert node is not None
        self.sight.nodes[name] = node

    async def _heal_all(self, names: list[str]) -> None:
        if self.broker_dead:
            await self.sim.restart("broker")
            self.broker_dead = False
        self.sim.heal()
        self.cut = set()
        for frozen in sorted(self.frozen):
            self.sim.thaw(frozen)
        self.frozen = set()
        for name in sorted(self.dead):
            await self._restart(name)
        self._note()

    def _note(self) -> None:
        """Tells the view who is silent from now on. A dead broker silences all: nobody is declared for it."""
        silent = self.dead | self.cut | self.frozen
        for name in list(self.sight.silent_s):
            if name not in silent:
                del self.sight.silent_s[name]
        for name in sorted(silent):
            self.sight.silent_s.setdefault(name, self.sim.now())


def survives(seed: int, *, steps: int = 8) -> None:
    """One seed: each input's result is there once, equal to a plain loop's; nothing of a fenced holder is in a log."""

    async def scenario(sim: Simulation) -> Outcome:
        return await Chaos(sim).run(steps=steps)

    found = Simulation(seed, limit_s=400.0).run(scenario)
    assert found.results() == plain_loop(INPUTS, JOB)
    assert [len(shard.results) for shard in found.shards] == [shard.inputs for shard in found.shards]
    assert sum(shard.ignored for shard in found.shards) == 0, "somebody wrote after it was fenced"
