"""What a worker does all day: it decides what to hold, holds it, reads all logs, checks others.

The machines decide (`Ownership`, `Checks`, `ShardLog`, the leases'); here their decisions are carried out.
Everything runs in tasks that `open` begins and `close` ends; what goes wrong in one is raised by `tick`, to the agent's
supervision.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Generic, TypeVar

from ..context import Context
from ..errors import AgentBusError, Closed, NotConnected
from ..peers import PeerId, StandingView
from ..storage import Bucket
from ..storage.leases import Holder, Leases
from ..transport import Consumption
from .checks import Key
from .codec import to_report
from .config import ShardConfig
from .holding import Fenced, Holding
from .inspector import Accusation, Inspector
from .journal import Journal
from .knowledge import Fleet
from .log import ShardLog
from .machine import Candidate, Drop, Look, Ownership, Take
from .model import Attest, Entry, Finding, Progress, Report, ShardJob
from .work import Work

S = TypeVar("S")

DEAF = 10
"""Looks, a second apart, without a tick between them, after which the agent is taken to be given up."""
COUNT_S = 0.5
"""Seconds between two counts of all inputs."""


class Desk(Generic[S]):
    """One worker's.

    Args:
        work: what is done.
        ctx: of the agent's start.
        job, config: what, and how.
        standing: who is to be trusted; None: everybody.
        accuse: told of segments that are wrong.
    """

    def __init__(
        self,
        work: Work[S],
        ctx: Context,
        job: ShardJob,
        config: ShardConfig,
        standing: StandingView | None,
        accuse: Accusation,
    ) -> None:
        self._work = work
        self._ctx = ctx
        self._job = job
        self._config = config
        self._me = PeerId(ctx.me, ctx.epoch)
        self._fleet = Fleet(self._me, config, lambda: ctx.peers, standing)
        self._journal = Journal(ctx.transport, ctx.realm, job, limits=config.limits, timeout_s=config.commit_s)
        self._logs = {shard: ShardLog() for shard in range(job.shards)}
        # Segments that this worker itself has found to be no ground to build on.
        self._condemned: dict[int, set[int]] = {shard: set() for shard in range(job.shards)}
        self._inspector = Inspector(work, ctx, self._journal, self._logs, self._fleet, config, accuse, self._condemn)
        self._ownership = Ownership(self._me, job, config, ctx.now() + config.report_s)
        self._holdings: dict[int, tuple[Holding[S], asyncio.Task[None]]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._following: Consumption | None = None
        self._leases: Leases | None = None
        self._report_due_s = ctx.now()
        self._nudged = False
        self._decided = False  # once: not before others had the time to tell that they are there
        self._ticked_s = ctx.now()
        self._closing: asyncio.Task[None] | None = None
        self._closed = False  # nothing is begun any more, whatever lease is granted still
        self._counts: dict[int, int] = {}
        self._moved_s = dict.fromkeys(range(job.shards), ctx.now())

    # -- life ------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Finds the streams and the leases, and begins. Raises `StorageFailed`, `NotConnected`."""
        ctx = self._ctx
        await self._journal.ensure()
        bucket = await Bucket.open(
            ctx.transport, f"shard-{self._job.name}-leases", realm=ctx.realm, replicas=self._job.replicas
        )
        self._leases = Leases(
            bucket,
            Holder(name=self._me.name, epoch=self._me.epoch, node=ctx.node),
            config=self._config.leases,
            judge=self._fleet.over,
            on_acquired=self._acquired,
            on_lost=self._lost,
        )
        self._following = await self._journal.follow(self._read)
        for name, run in (("checks", self._inspector.run), ("counts", self._count), ("watch", self._watch)):
            self._tasks.append(asyncio.get_running_loop().create_task(run(), name=f"{ctx.me}: {name}"))

    async def close(self) -> None:
        """Gives back what is held, and ends."""
        self._closed = True
        if self._following is not None:
            self._following.stop()
        tasks = [*self._tasks, *(task for _, task in self._holdings.values())]
        self._holdings.clear()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for task in self._tasks:
            self._heard(task)
        if self._leases is not None:
            await self._leases.close()

    async def tick(self, now: float) -> None:
        """Decides, if it is time to. Raises what has gone wrong in a task."""
        self._ticked_s = now
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()
        for shard, (_, task) in list(self._holdings.items()):
            if task.done():
                self._ended(shard, task)
        if self._nudged or now >= self._ownership.next_deadline():
            self._look(now)
        if now >= self._report_due_s:
            await self._report(now)

    def nudge(self) -> None:
        """Something has happened to somebody: look at everything at the next tick."""
        self._nudged = True

    async def _watch(self) -> None:
        """Ends all when nobody ticks: supervision has given the agent up, which runs no hook. Looks are counted, not
        seconds: a process that was stopped for a while is not deaf."""
        missed, seen_s = 0, self._ticked_s
        while missed < DEAF:
            await asyncio.sleep(1.0)
            missed = missed + 1 if self._ticked_s == seen_s else 0
            seen_s = self._ticked_s
        self._ctx.log.error("shards put down: their agent was given up", shards=self.held)
        self._closing = asyncio.get_running_loop().create_task(self.close(), name=f"{self._ctx.me}: close")

    # -- holding ---------------------------------------------------------------------------------------------------

    @property
    def held(self) -> tuple[int, ...]:
        """The shards that are held now."""
        return tuple(sorted(self._holdings))

    def _look(self, now: float) -> None:
        self._fleet.look(now)
        candidates = self._fleet.candidates(len(self._holdings))
        if now >= self._ownership.next_deadline() or self._decided:
            self._decide(candidates, now)
        if self._nudged and self._leases is not None:
            self._nudged = False
            self._leases.nudge()
        if self._fleet.trusted(self._me):
            self._inspector.settle(max(0, len(candidates) - 1), now)

    def _decide(self, candidates: list[Candidate], now: float) -> None:
        assert self._leases is not None
        held = frozenset(self._holdings)
        self._decided = True
        holders = {shard: log.claim.holder for shard, log in self._logs.items() if log.claim is not None}
        look = Look(candidates=candidates, held=held, holders=holders)
        for effect in self._ownership.handle(look, now):
            lease = self._leases.lease(_key(effect.shard))
            match effect:
                case Take():
                    lease.want(patience_s=effect.patience_s)
                    if lease.token is not None:  # it was to be given back, which the store has not heard yet
                        self._acquired(lease.key, lease.token)
                case Drop():
                    self._put_down(effect.shard, effect.reason)
                    lease.leave()

    def _acquired(self, key: str, token: int) -> None:
        shard = _shard(key)
        ctx = self._ctx
        if self._closed:  # it was asked for before
            if self._leases is not None:
                self._leases.lease(key).leave()
            return
        holding = Holding(
            shard,
            token,
            self._me,
            ctx.node,
            work=self._work,
            log=self._logs[shard],
            journal=self._journal,
            config=self._config,
            run_id=f"{ctx.rng.getrandbits(64):016x}",
            allowed=lambda: self._fleet.trusted(self._me),
            rewind=lambda: self._rewind(shard),
            unreadable=lambda sequence: self._condemn((shard, sequence)),
            logger=ctx.log,
        )
        self._put_down(shard, "acquired again")
        task = asyncio.get_running_loop().create_task(holding.run(), name=f"{ctx.me}: shard {shard}")
        self._holdings[shard] = (holding, task)
        task.add_done_callback(self._heard)
        self._report_due_s = ctx.now()

    def _lost(self, key: str, reason: str) -> None:
        self._put_down(_shard(key), reason)

    def _put_down(self, shard: int, reason: str) -> None:
        held = self._holdings.pop(shard, None)
        if held is not None:
            held[1].cancel()
            self._ctx.log.info("shard put down", shard=shard, reason=reason)
            self._report_due_s = self._ctx.now()

    def _ended(self, shard: int, task: asyncio.Task[None]) -> None:
        """A holding ended by itself: it was fenced, or the user's code failed."""
        self._put_down(shard, "ended")
        if self._leases is not None:
            self._leases.lease(_key(shard)).leave()
        self._ownership.released(shard)
        if task.cancelled():
            return
        with suppress(Fenced):
            task.result()

    def _heard(self, task: asyncio.Task[None]) -> None:
        """A task has ended. Of one that no tick looks at any more what has gone wrong is told here."""
        error = None if task.cancelled() else task.exception()
        looked_at = not self._closed and any(held is task for _, held in self._holdings.values())
        if error is not None and not looked_at and not isinstance(error, Fenced | Closed):
            self._ctx.log.error("shard work failed as it was put down", task=task.get_name(), error=repr(error))

    def _condemn(self, key: Key) -> None:
        shard, sequence = key
        self._condemned[shard].add(sequence)

    def _rewind(self, shard: int) -> int | None:
        log, condemned = self._logs[shard], self._condemned[shard]
        condemned.intersection_update([sequence for sequence in condemned if log.link(sequence) is not None])
        return log.suspect(condemned, self._config.liars, self._fleet.trusted)

    # -- reading all logs ------------------------------------------------------------------------------------------

    def _read(self, shard: int, sequence: int, entry: Entry | None) -> None:
        log = self._logs[shard]
        counts = log.apply(sequence, entry)
        if isinstance(entry, Attest):
            return
        link = log.link(sequence)
        if link is not None:
            self._moved_s[shard] = self._ctx.now()
            if link.author != self._me:  # an earlier life of its own may have lied
                self._inspector.seen(shard, sequence, link.author)
        elif counts:
            self._nudged = True

    async def _count(self) -> None:
        while True:
            with suppress(AgentBusError):
                self._counts = dict(await self._journal.counts())
                now = self._ctx.now()
                for shard, log in self._logs.items():
                    if self._counts.get(shard, 0) <= log.committed:
                        self._moved_s[shard] = now
            await asyncio.sleep(COUNT_S)

    def lag_s(self) -> dict[int, float]:
        """See `ShardWorker.lag_s`."""
        now = self._ctx.now()
        return {
            shard: now - self._moved_s[shard]
            for shard, log in self._logs.items()
            if self._counts.get(shard, 0) > log.committed
        }

    def progress(self) -> list[Progress]:
        """See `ShardWorker.progress`."""
        found: list[Progress] = []
        for shard, log in self._logs.items():
            verified = log.links[: log.verified(self._config.liars, self._fleet.trusted)]
            found.append(
                Progress(
                    shard=shard,
                    holder=log.claim.holder if log.claim else None,
                    node=log.claim.node if log.claim else "",
                    token=log.token,
                    position=log.position,
                    committed=log.committed,
                    verified=sum(link.inputs for link in verified),
                    void_segments=log.void,
                    backlog=max(0, self._counts.get(shard, 0) - log.committed),
                )
            )
        return found

    async def _report(self, now: float) -> None:
        self._report_due_s = now + self._config.report_s
        report = Report(job=self._job.name, peer=self._me, node=self._ctx.node, holds=self.held)
        with suppress(NotConnected):
            await self._ctx.publish(to_report(report), topic=f"{self._job.name}.{self._me.name}")

    def heard(self, report: Report, now: float) -> None:
        """A worker of the job has said that it is there: one that is new is told of this one at once."""
        if report.peer.name == self._me.name:
            return
        before = self._fleet.heard(report, now)
        if before is None:
            self._report_due_s = now
        elif self._leases is not None:
            for shard in {*before.holds}.difference(report.holds):
                if 0 <= shard < self._job.shards:
                    self._leases.lease(_key(shard)).nudge()

    async def reproduce(self, accused: PeerId, shard: int, sequence: int) -> Finding:
        """See `ShardWorker.reproduce`. Raises `StorageFailed`, `NotConnected`."""
        return await self._inspector.reproduce(accused, shard, sequence)


def _key(shard: int) -> str:
    return f"shard.{shard}"


def _shard(key: str) -> int:
    return int(key.rpartition(".")[2])
