"""Workers that lie: they are found out by doing the work again, and what they did is made void."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from agentbus.faults import LYING, Fault
from agentbus.membership import Membership
from agentbus.membership import local as fast
from agentbus.peers import PeerId, Standing
from agentbus.sharding import Claim, Finding, Journal, Segment
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


POISON = bytes([255]) * 32


class Sensitive(Chain):
    """Honest; its code fails in a state that it never comes to by itself."""

    def step(self, state: bytearray, batch: bytes) -> bytes:
        if state == POISON:
            raise RuntimeError("this can't be")
        return super().step(state, batch)


class Trap(Sensitive):
    """Its checkpoints can be restored, and make whoever goes on from them fail."""

    def snapshot(self, state: bytearray) -> bytes:
        return POISON if self.held else super().snapshot(state)


Accusation = tuple[PeerId, str]


@pytest.mark.parametrize(
    ("liar", "honest_kind"),
    [(WrongResults, Chain), (PoisonedCheckpoints, Chain), (Rubbish, Chain), (Trap, Sensitive)],
)
def test_a_liar_is_found_out_and_its_work_is_done_again(
    liar: Callable[..., Chain], honest_kind: Callable[..., Chain]
) -> None:
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
            kind = liar if index == 0 else honest_kind
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
        assert all(node.statistics().agents[f"w{index}"].restarts == 0 for index, node in enumerate(nodes))

    Simulation(5, limit_s=300.0).run(scenario)


class Disguised(Journal):
    """Claims in the name of another node."""

    async def append(self, shard: int, entry: Claim | Segment, *, expected: int, message_id: str) -> int:
        if isinstance(entry, Claim):
            entry = replace(entry, node="elsewhere")
        return await super().append(shard, entry, expected=expected, message_id=message_id)


def test_a_liar_that_names_another_node_is_accused_on_its_own() -> None:
    async def scenario(sim: Simulation) -> None:
        accused: set[tuple[str, str]] = set()

        def accuse(kind: str, peer: PeerId, node: str, evidence: str) -> None:
            accused.add((peer.name, node))

        liar = WrongResults(JOB, config=CONFIG)
        first = await sim.node("n0", agents={"m": Membership(fast()), "w0": liar})
        assert liar._desk is not None
        liar._desk._journal = Disguised(first.transport, "default", JOB)
        await sim.sleep(3.0)
        worker = Chain(JOB, config=CONFIG, accuse=accuse)
        node = await sim.node("n1", agents={"m": Membership(fast()), "w1": worker})
        await feed(node.transport, batches(40))
        await sim.until(lambda: accused, timeout_s=10.0)
        assert {one.node for one in worker.progress() if one.holder and one.holder.name == "w0"} == {"elsewhere"}
        assert accused == {("w0", "n0")}

    Simulation(10, limit_s=300.0).run(scenario)


@pytest.mark.parametrize("names", [["w0"], ["w0", "w1", "w2"], ["w1", "w2", "w3", "w4"]])
def test_what_a_liar_leaves_behind_that_died_before_it_was_convicted_is_done_again(names: list[str]) -> None:
    inputs = batches(40)

    async def scenario(sim: Simulation) -> None:
        first = await sim.node("n0", agents={"m": Membership(fast()), "w0": WrongResults(JOB, config=CONFIG)})
        await feed(first.transport, inputs)
        reader = await sim.node("reader")
        while not (await outcome(reader.transport)).complete:
            await sim.sleep(0.1)
        sim.crash("n0")
        await sim.sleep(1.0)
        # Nobody that is there has ever seen the liar; one may be its next life, which is honest.
        for name in names:
            await sim.node(f"home-of-{name}", agents={"m": Membership(fast()), name: Chain(JOB, config=CONFIG)})
        deadline = sim.now() + 60.0
        while (await outcome(reader.transport)).results() != plain_loop(inputs):
            assert sim.now() < deadline
            await sim.sleep(0.5)
        while len(names) > 2 and (await outcome(reader.transport)).unverified:
            assert sim.now() < deadline
            await sim.sleep(0.5)

    Simulation(11, limit_s=300.0).run(scenario)


def test_who_goes_on_from_a_checkpoint_that_makes_it_fail_does_that_segment_again() -> None:
    inputs = batches(80)

    async def scenario(sim: Simulation) -> None:
        await sim.node("n0", agents={"m": Membership(fast()), "w0": Trap(JOB, config=CONFIG)})
        await sim.sleep(3.0)
        other = Sensitive(JOB, config=CONFIG)
        node = await sim.node("n1", agents={"m": Membership(fast()), "w1": other})
        await feed(node.transport, inputs[:40])
        await sim.until(lambda: sum(one.committed for one in other.progress()) == 40, timeout_s=10.0)
        sim.crash("n0")
        await feed(node.transport, inputs)
        await sim.until(
            lambda: sum(one.committed for one in other.progress()) == 80 and len(other.held) == JOB.shards,
            timeout_s=60.0,
        )
        found = await outcome(node.transport)
        assert found.results() == plain_loop(inputs)
        assert node.statistics().agents["w1"].restarts == 0

    Simulation(8, limit_s=300.0).run(scenario)


def test_what_is_gone_from_the_streams_convicts_nobody() -> None:
    async def scenario(sim: Simulation) -> None:
        worker = Chain(JOB, config=CONFIG)
        node = await sim.node("n0", agents={"w0": worker})
        await feed(node.transport, batches(80))
        await sim.until(lambda: sum(one.committed for one in worker.progress()) == 80)
        me = PeerId("w0", node.epoch)
        journal = Journal(node.transport, "default", JOB)
        first = await journal.next(0, (await journal.next(0, 0) or (0, None))[0])
        assert first is not None
        at, segment = first
        assert isinstance(segment, Segment)
        assert segment.previous == 0
        assert await worker.reproduce(LYING, me, f"chain/0/{at}") is Finding.DENIED
        await node.transport.purge(journal.inputs_stream, "default.shard.chain.in.*", before=segment.inputs[-1] + 1)
        assert await worker.reproduce(LYING, me, f"chain/0/{at}") is Finding.UNKNOWN
        await node.transport.purge(journal.results_stream, "default.shard.chain.out.0", before=at + 1)
        assert await worker.reproduce(LYING, me, f"chain/0/{at}") is Finding.UNKNOWN
        following = await journal.next(0, at)
        assert following is not None
        assert await worker.reproduce(LYING, me, f"chain/0/{following[0]}") is Finding.UNKNOWN  # no checkpoint before

    Simulation(9, limit_s=300.0).run(scenario)


def test_an_accusation_of_what_is_right_or_can_not_be_is_denied() -> None:
    async def scenario(sim: Simulation) -> None:
        worker = Chain(JOB, config=CONFIG)
        node = await sim.node("n0", agents={"w0": worker})
        await feed(node.transport, batches(40))
        await sim.until(lambda: sum(one.committed for one in worker.progress()) == 40)
        me = PeerId("w0", node.epoch)
        segments = [one for one in worker.progress() if one.committed]
        assert segments
        assert all(one.holder == me for one in segments)
        journal = Journal(node.transport, "default", JOB)
        at, checked = 0, 0
        while (found := await journal.next(0, at)) is not None:
            at, entry = found
            if isinstance(entry, Segment):
                checked += 1
                assert await worker.reproduce(LYING, me, f"chain/0/{at}") is Finding.DENIED
        assert checked
        claim = await journal.next(0, 0)
        assert claim is not None
        assert isinstance(claim[1], Claim)
        assert await worker.reproduce(LYING, me, f"chain/0/{claim[0]}") is Finding.DENIED  # it is no segment
        assert await worker.reproduce(LYING, me, f"chain/{JOB.shards}/1") is Finding.DENIED  # there is no such shard
        assert await worker.reproduce(LYING, me, f"chain/0/{at + 1}") is Finding.UNKNOWN  # it may be gone, or to come
        for evidence in ("other/0/3", "chain/0", "chain/x/3", "", "chain/0/-3"):
            assert await worker.reproduce(LYING, me, evidence) is Finding.UNKNOWN

    Simulation(6, limit_s=300.0).run(scenario)
