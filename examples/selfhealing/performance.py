"""A run from beginning to end: brokers, relay, processes, work, faults, and what came of it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from agentbus.sharding.journal import Journal

from .answer import PlainLoop, compare
from .crew import Crew
from .faults import Faults
from .feeder import Feeder
from .ground import ground
from .lanes import State
from .ledger import Ledger
from .observer import Observer
from .outcome import outcomes
from .plan import REALM, Plan
from .recorder import Recorder, Screen
from .relay import Relay
from .scoring import Scoring
from .timeline import What
from .verdict import Verdict

UP = (State.WELL, State.PROBATION)
AT_ONCE = 4
"""Agents that are started at once: those that are up already should not starve."""
UP_S = 30.0
"""Seconds within which they should be at work."""
FINISH_S = 60.0
"""Seconds within which all that was dealt should be committed and verified."""


class Stalled(RuntimeError):
    """The run does not go on. Says what is awaited."""


async def perform(plan: Plan, folder: Path, screen: Screen) -> Verdict:
    """Runs a plan.

    Args:
        plan: the plan.
        folder: an empty one, for logs and stores.
        screen: told of each event.

    Raises:
        ServerFailed: the brokers are not up.
        MemberFailed: an agent's process does not stay up.
        Stalled: the agents do not get to work.
    """
    async with AsyncExitStack() as stack:
        place = await stack.enter_async_context(ground(plan, folder))
        cluster = place.cluster
        ports = [urlsplit(cluster.url_of(index)).port or 0 for index in range(len(cluster))]
        relay = await stack.enter_async_context(Relay(ports))
        recorder = Recorder(plan.names, screen)
        node = await stack.enter_async_context(place.node("observer", {"observer": Observer(recorder)}))
        journal = Journal(node.transport, REALM, plan.job)
        await journal.ensure()
        plain = PlainLoop(plan.records, Scoring(plan.records.shape[1]), shards=plan.shards, batch=plan.batch)
        ledger = Ledger(plain, plan.shards, recorder.add)
        following = await journal.follow(ledger.read)
        stack.callback(following.stop)
        urls = {name: relay.lead(cluster.url) if name in plan.behind else cluster.url for name in plan.names}
        crew = await stack.enter_async_context(
            Crew(lambda name: [*_command(plan, name, urls[name]), *place.words(name)], folder, recorder.hear)
        )
        faults = Faults(plan, recorder, crew=crew, cluster=cluster, relay=relay, stream=journal.results_stream)
        feeder = Feeder(plan, plain, journal)
        work = asyncio.create_task(_work(plan, recorder, crew, faults, feeder, ledger), name="work")
        try:
            await asyncio.wait([work, crew.failed], return_when=asyncio.FIRST_COMPLETED)
            if crew.failed.done():
                crew.failed.result()
            await work
            return _verdict(plan, recorder, plain, feeder, ledger)
        finally:
            recorder.closed = True
            work.cancel()
            relay.heal()


def _are_up(recorder: Recorder, names: Sequence[str]) -> bool:
    return all(recorder.states[name] in UP for name in names)


async def _work(plan: Plan, recorder: Recorder, crew: Crew, faults: Faults, feeder: Feeder, ledger: Ledger) -> None:
    for first in range(0, plan.agents, AT_ONCE):
        names = plan.names[first : first + AT_ONCE]
        for name in names:
            crew.start(name)
        if not await recorder.until(partial(_are_up, recorder, names), UP_S):
            missing = [name for name in names if recorder.states[name] not in UP]
            raise Stalled(f"not at work within {UP_S:g} s: {', '.join(missing)}")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(feeder.run(), name="feed")
        await faults.run()
        feeder.last.set()

    def finished() -> bool:
        return ledger.committed == feeder.stored and ledger.verified(plan.liars) == feeder.stored

    await recorder.until(finished, FINISH_S)


def _verdict(plan: Plan, recorder: Recorder, plain: PlainLoop, feeder: Feeder, ledger: Ledger) -> Verdict:
    timeline = recorder.timeline
    first_s = timeline.faults[0].at_s if timeline.faults else recorder.now()
    calm = {
        event.about for event in timeline.events if event.what in (What.FAILED, What.CONVICTED) and event.at_s < first_s
    }
    problems = [
        f"shard {shard}: the inputs that count are not those that were stored"
        for shard in range(plan.shards)
        if ledger.inputs(shard) != feeder.inputs[shard]
    ]
    return Verdict(
        about=plan.about,
        elapsed_s=recorder.now(),
        timeline=timeline,
        outcomes=outcomes(timeline),
        answer=compare(plain, ledger.answer()),
        unverified=ledger.committed - ledger.verified(plan.liars),
        calm_alarms=len(calm),
        problems=problems,
    )


def _command(plan: Plan, name: str, url: str) -> Sequence[str]:
    job = plan.job
    words = [sys.executable, "-m", "examples.selfhealing.worker", name, "--url", url]
    words += ["--job", job.name, "--shards", str(job.shards), "--replicas", str(job.replicas)]
    return [*words, "--liars", str(plan.liars), "--channels", str(plan.records.shape[1])]
