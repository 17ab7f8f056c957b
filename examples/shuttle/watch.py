"""One run from start to end: starts the crew, follows it, asks the desk for its ledger, and judges."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from google.protobuf.empty_pb2 import Empty

from agentbus import Agent, Context, Node, on

from .crew import Crew
from .data import Telemetry
from .desk import LONGEST_PAGE
from .detector import DESK
from .process import LIMITS
from .v1.shuttle_pb2 import Ledger, LedgerRequest, Progress, Tally, TallyRequest
from .verdict import Member, Verdict, check, roc_auc

FEEDER = "feeder"
STALLED_S = 30.0
"""Seconds without one more record after which a run has failed."""
KILL_AT = 0.4
"""The share of the records after which a detector is killed, if one is to be."""


class Stalled(RuntimeError):
    """No record was scored for too long."""


class Screen(Protocol):
    """What shows the progress."""

    def show(self, progress: Progress, killed: Sequence[str]) -> None:
        """Shows it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to run. See `options`."""

    telemetry: Telemetry
    data: str | None
    label: str | None
    limit: int | None
    detectors: int
    threshold: float
    kill: bool
    secure: bool = False


class Viewer(Agent):
    """Follows the desk's reports."""

    def __init__(self) -> None:
        self.reports: asyncio.Queue[Progress] = asyncio.Queue(maxsize=1)

    @on(Progress)
    async def see(self, progress: Progress, ctx: Context) -> None:
        """Keeps the newest report."""
        while not self.reports.empty():
            self.reports.get_nowait()
        self.reports.put_nowait(progress)


async def run(plan: Plan, url: str | None, folder: Path, screen: Screen) -> Verdict:
    """Runs the plan on the broker at `url`, by default on a nats-server of its own in `folder`; a secure one in a realm
    of its own.

    Raises:
        MemberFailed: a process ended that should not have.
        Stalled: nothing went on for `STALLED_S` seconds.
        AgentBusError: the broker can't be reached.
    """
    realm = f"shuttle-{secrets.token_hex(4)}"
    viewer = Viewer()
    if plan.secure:
        from agentbus.security import Identity  # which need the extra
        from agentbus.security.realm.permissions import Layout
        from examples.secured import secured

        async with secured(folder, Layout(realm=realm), streams=LIMITS) as keys:
            identity = Identity.load(keys.identity("watch", ["viewer"]))
            async with Node(identity=identity, agents=[viewer]) as node, Crew(folder, keys=keys) as crew:
                return await _run(plan, node, crew, viewer, screen)
    url = url or os.environ.get("AGENTBUS_URL") or f"embedded://{folder / 'server'}"
    async with Node(url, realm=realm, name="watch", agents=[viewer], durable=LIMITS) as node:
        async with Crew(folder, url=url, realm=realm) as crew:
            verdict = await _run(plan, node, crew, viewer, screen)
        for stream in (node.streams.log, node.streams.dead):
            await node.publish(Empty(), plain=True, subject=f"$JS.API.STREAM.DELETE.{stream}")
        return verdict


async def _run(plan: Plan, node: Node, crew: Crew, viewer: Viewer, screen: Screen) -> Verdict:
    await _start(plan, crew)
    progress = await _follow(plan, crew, viewer, screen)
    return await _judge(plan, node, crew, progress)


def _detectors(plan: Plan) -> list[str]:
    return [f"detector-{number}" for number in range(1, plan.detectors + 1)]


async def _start(plan: Plan, crew: Crew) -> None:
    await crew.start(DESK, DESK, {"threshold": plan.threshold})
    for name in _detectors(plan):
        await crew.start("detector", name)
    options = {"data": plan.data, "label": plan.label, "limit": plan.limit, "detectors": plan.detectors}
    await crew.start(FEEDER, FEEDER, options)


async def _follow(plan: Plan, crew: Crew, viewer: Viewer, screen: Screen) -> Progress:
    """Until every record has a score; returns the last report."""
    loop = asyncio.get_running_loop()
    total = len(plan.telemetry.records)
    seen, moved_at = 0, loop.time()
    while True:
        report = asyncio.create_task(viewer.reports.get(), name="next report")
        try:
            await asyncio.wait((report, crew.failed), timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
            if crew.failed.done():
                crew.failed.result()
            if report.done():
                progress = report.result()
                screen.show(progress, crew.killed)
                if progress.records > seen:
                    seen, moved_at = progress.records, loop.time()
                if progress.records >= total:
                    return progress
        finally:
            report.cancel()
        if plan.kill and not crew.killed and seen >= KILL_AT * total:
            crew.kill(_detectors(plan)[0])
        if loop.time() - moved_at > STALLED_S:
            tails = "\n".join(f"{name}: {crew.tail(name)}" for name in (FEEDER, DESK, *_detectors(plan)))
            raise Stalled(f"no record was scored for {STALLED_S:g} s, after {seen} of {total}. The logs end:\n{tails}")


async def _judge(plan: Plan, node: Node, crew: Crew, progress: Progress) -> Verdict:
    total = len(plan.telemetry.records)
    scores: list[float] = []
    scored_by: list[int] = []
    while len(scores) < total:
        request = LedgerRequest(first=len(scores), count=LONGEST_PAGE)
        page = await node.request(request, Ledger, to=DESK)
        if not page.scores:
            break
        scores.extend(page.scores)
        scored_by.extend(page.detectors)
    counts = {each.name: each.records for each in progress.detectors}
    problems = check(total, np.array(scores), np.array(scored_by), counts, progress.conflicts)
    if plan.kill and not crew.killed:
        problems = [*problems, "no detector was killed: the run was too short for it"]
    labels = plan.telemetry.labels
    return Verdict(
        source=plan.telemetry.source,
        records=total,
        alarms=progress.alarms,
        repeats=progress.repeats,
        auc=None if labels is None or len(scores) != total else roc_auc(np.array(scores), labels),
        records_per_s=total / max(progress.elapsed_s, 1e-3),
        elapsed_s=progress.elapsed_s,
        members=await _members(plan, node, crew, counts),
        problems=problems,
    )


async def _members(plan: Plan, node: Node, crew: Crew, counts: dict[str, int]) -> Sequence[Member]:
    names = [FEEDER, *_detectors(plan), DESK]
    alive = len(names) - len(crew.killed)
    answers = await node.gather(TallyRequest(), Tally, timeout_s=5.0, at_most=alive)
    tallies = {answer.sender: answer.message for answer in answers}
    return [
        Member(
            name=name,
            process=crew.process(name),
            records=tallies[name].records if name in tallies else None,
            scored=counts.get(name, 0),
            killed=name in crew.killed,
        )
        for name in names
    ]
