"""The faults, done for real: signals to processes, words to a liar, a dead broker, a relay that falls silent."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence, Set
from dataclasses import asdict
from functools import partial

from agentbus.testing import Cluster

from .crew import Crew
from .lanes import State
from .outcome import outcome
from .plan import Plan
from .recorder import Recorder
from .relay import Relay
from .timeline import Injection, Timeline, What

CALM_S = 60.0
"""Seconds within which everybody should be at work again before the next fault."""


class Faults:
    """Injects faults, one after the other, each when the one before was healed.

    Args:
        plan: which, and how long.
        recorder: where it is noted.
        crew, cluster, relay: what they are done to.
        stream: the name of the stream whose leader is killed.
    """

    def __init__(
        self, plan: Plan, recorder: Recorder, *, crew: Crew, cluster: Cluster, relay: Relay, stream: str
    ) -> None:
        self._plan = plan
        self._recorder = recorder
        self._crew = crew
        self._cluster = cluster
        self._relay = relay
        self._stream = stream
        self._rng = random.Random(plan.seed)
        self._spared: list[str] = []

    async def run(self) -> None:
        """All of the plan's faults."""
        ways = {
            "kill": self._kill,
            "stop": self._stop,
            "lie": self._lie,
            "slow": self._slow,
            "broker": self._broker,
            "partition": self._partition,
        }
        for kind in self._plan.faults:
            await self._calm(self._plan.behind if kind == "partition" else ())
            fault = await ways[kind]()
            await self._recorder.until(partial(self._is_healed, fault), self._plan.patience_s)

    # -- the faults ------------------------------------------------------------------------------------------------

    async def _kill(self) -> Injection:
        fault = self._begin("kill", self._victims(1))
        self._crew.kill(fault.victims[0])
        return fault

    async def _stop(self) -> Injection:
        fault = self._begin("stop", self._victims(1))
        self._crew.stop(fault.victims[0])
        await asyncio.sleep(self._plan.stop_s)
        self._crew.go_on(fault.victims[0])
        return self._recorder.lift(fault)

    async def _lie(self) -> Injection:
        fault = self._begin("lie", self._victims(self._plan.lie.liars))
        for victim in fault.victims:
            self._crew.tell(victim, "lie", **asdict(self._plan.lie))
        return fault

    async def _slow(self) -> Injection:
        fault = self._begin("slow", self._victims(1))
        self._crew.tell(fault.victims[0], "slow")
        return fault

    async def _broker(self) -> Injection:
        index = await self._cluster.leader(self._stream)
        name = self._plan.brokers[index]
        fault = Injection(
            kind="broker", at_s=self._recorder.now(), victims=(name,), shards=tuple(range(self._plan.shards))
        )
        self._recorder.inject(fault)
        self._recorder.add(What.BROKER_DOWN, about=name)
        self._cluster.kill(index)
        await asyncio.sleep(self._plan.down_s)
        await self._cluster.restart(index)
        self._recorder.add(What.BROKER_UP, about=name)
        return self._recorder.lift(fault)

    async def _partition(self) -> Injection:
        fault = self._begin("partition", self._plan.behind)
        self._relay.cut()
        await asyncio.sleep(self._plan.cut_s)
        self._relay.heal()
        return self._recorder.lift(fault)

    # -- inside ----------------------------------------------------------------------------------------------------

    def _begin(self, kind: str, victims: tuple[str, ...]) -> Injection:
        shards = tuple(shard for shard, who in sorted(self._recorder.holders.items()) if who in victims)
        fault = Injection(kind=kind, at_s=self._recorder.now(), victims=victims, shards=shards)
        self._recorder.inject(fault)
        return fault

    def _victims(self, number: int) -> tuple[str, ...]:
        """Agents that are well and at work; those that had a fault last come last."""
        working = sorted(set(self._recorder.holders.values()))
        well = [name for name in working if self._recorder.states[name] is State.WELL] or working
        self._rng.shuffle(well)
        well.sort(key=lambda name: self._spared.index(name) if name in self._spared else -1)
        chosen = tuple(well[:number])
        self._spared = [name for name in self._spared if name not in chosen] + list(chosen)
        return chosen

    def _is_healed(self, fault: Injection) -> bool:
        return outcome(self._recorder.timeline, fault).healed

    async def _calm(self, at_work: Sequence[str]) -> None:
        """Until every agent is up, and every shard has been in the hands of one that is for a while; one of `at_work`,
        if there are any, has some."""
        await self._recorder.until(partial(self._is_calm, frozenset(at_work)), CALM_S)

    def _is_calm(self, at_work: Set[str]) -> bool:
        timeline, holders = self._recorder.timeline, self._recorder.holders
        up = {name for name, state in self._recorder.states.items() if state in (State.WELL, State.PROBATION)}
        now = self._recorder.now()
        moved_s = _last(timeline, What.CLAIMED)
        came_s = _last(timeline, What.UP, What.LIFTED)
        quiet = now - moved_s > self._plan.rest_s and now - came_s > self._plan.settle_s
        held = len(holders) == self._plan.shards and set(holders.values()) <= up
        return (
            quiet and held and len(up) == len(timeline.nodes) and (not at_work or bool(at_work & set(holders.values())))
        )


def _last(timeline: Timeline, *kinds: What) -> float:
    return next((event.at_s for event in reversed(timeline.events) if event.what in kinds), 0.0)
