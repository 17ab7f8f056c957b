"""Workers that lie: they are found out by doing the work again, and what they did is made void."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agentbus.faults import LYING, Fault
from agentbus.membership import Membership
from agentbus.membership import local as fast
from agentbus.peers import PeerId, Standing
from agentbus.sharding import Finding
from agentbus.testing import Simulation

from .world import CONFIG, JOB, Chain, Judge, batches, feed, outcome, plain_loop


class WrongResults(Chain):
    """Tells another result than the one that it has found, but only of what is its own."""

    def step(self, state: bytearray, batch: bytes) -> bytes:
        result = super().step(state, batch)
        return b"wrong" if self.held else result


class PoisonedCheckpoints(Chain):
    """Its results are right; the state that others are to go on from is not."""

    def snapshot(self, state: bytearray) -> bytes:
        return bytes(32) if self.held else super().snapshot(state)


class Rubbish(Chain):
    """Its checkpoints can't be restored."""

    def snapshot(self, state: bytearray) -> bytes:
        return b"rubbish" if self.held else super().snapshot(state)


Accusation = tuple[PeerId, str]


@pytest.mark.parametrize("liar", [WrongResults, PoisonedCheckpoints, Rubbish])
def test_a_liar_is_found_out_and_its_work_is_done_again(liar: Callable[..., Chain]) -> None:
    inputs = batches(160)

    async def scenario(sim: Simulation) -> None:
        judge = Judge()
        accused: dict[Accusation, set[str]] = {}
        workers: list[Chain] = []
        nodes = []

        def accuse_as(name: str) -> Callable[[str, PeerId, str, str], None]:
            def accuse(kind: str, peer: PeerId, node: str, evidence: str) -> None:
                assert kind == LYING
                if name != "w0":  # the liar finds that the others are wrong
                    accused.setdefault((peer, evidence), set()).add(name)

            return accuse

        for index in range(5):
            kind = liar if index == 0 else Chain
            name = f"w{index}"
            workers.append(kind(JOB, config=CONFIG, standing=judge, accuse=accuse_as(name)))
            nodes.append(await sim.node(f"n{index}", agents={"m": Membership(fast()), name: workers[-1]}))
        await sim.sleep(6.0)
        assert workers[0].held
        await feed(nodes[1].transport, inputs)
        await sim.until(lambda: accused, timeout_s=10.0)
        (peer, evidence), _ = next(iter(accused.items()))
        assert peer.name == "w0"
        for honest in workers[1:]:
            assert await honest.reproduce(LYING, peer, evidence) is Finding.CONFIRMED
            assert await honest.reproduce(LYING, PeerId("w1", peer.epoch), evidence) is Finding.DENIED
            assert await honest.reproduce("slow", peer, evidence) is Finding.UNKNOWN
        judge.bad[peer] = Standing.QUARANTINED
        for node in nodes:
            await node.publish(Fault(kind=LYING, agent="w0", node="n0", epoch=peer.epoch), topic=node.name)
        convicted_s = sim.now()
        while True:
            found = await outcome(nodes[1].transport)
            if found.complete and found.unverified == 0 and not workers[0].held:
                break
            assert sim.now() < convicted_s + 20.0
            await sim.sleep(0.2)
        assert found.results() == plain_loop(inputs)
        assert sum(shard.void_segments for shard in found.shards) > 0
        assert {peer.name for peer, _ in accused} == {"w0"}

    Simulation(5, limit_s=300.0).run(scenario)


def test_an_accusation_of_what_is_right_or_not_there_is_denied() -> None:
    async def scenario(sim: Simulation) -> None:
        worker = Chain(JOB, config=CONFIG)
        node = await sim.node("n0", agents={"w0": worker})
        await feed(node.transport, batches(40))
        await sim.until(lambda: sum(one.committed for one in worker.progress()) == 40)
        me = PeerId("w0", node.epoch)
        segments = [one for one in worker.progress() if one.committed]
        assert segments
        assert all(one.holder == me for one in segments)
        from agentbus.sharding import Journal, Segment

        journal = Journal(node.transport, "default", JOB)
        at, checked = 0, 0
        while (found := await journal.next(0, at)) is not None:
            at, entry = found
            if isinstance(entry, Segment):
                checked += 1
                assert await worker.reproduce(LYING, me, f"chain/0/{at}") is Finding.DENIED
        assert checked
        assert await worker.reproduce(LYING, me, "chain/0/1") is Finding.DENIED  # there is no segment
        for evidence in ("other/0/3", "chain/0", "chain/x/3", "", "chain/0/-3"):
            assert await worker.reproduce(LYING, me, evidence) is Finding.UNKNOWN

    Simulation(6, limit_s=300.0).run(scenario)
