"""`ShardWorker`: the agent whose work survives. Subclass it, and say what the work is.

It holds the shards that are its own by the hash, or that nobody else holds; it commits them segment by segment;
it checks others' segments by doing them again; it gives up at once what it has been fenced from.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any, Protocol

from ..agent import Agent
from ..behaviors import every, on, on_start, on_stop, rpc
from ..context import Context
from ..errors import AgentBusError, ConfigurationError
from ..faults import LYING, Fault, PeerEvent
from ..peers import PeerId, StandingView
from .codec import ShardReport, ShardStatus, ShardStatusRequest, from_report, to_status
from .config import ShardConfig
from .desk import Desk
from .model import Finding, Progress, ShardJob, parse_evidence

TICK_S = 0.05
"""Seconds between two looks at what there is to do."""


class Accuse(Protocol):
    """Where accusations go: detection's. Best effort; called again as long as the segment counts."""

    def __call__(self, kind: str, accused: PeerId, node: str, evidence: str) -> Awaitable[None] | None: ...


class ShardWorker(Agent):
    """Does shards of a job that survives its workers.

    A subclass says what the work is, by `begin`, `step`, `snapshot` and `restore`: a function of the shard's inputs
    and nothing else. If it has an ``__init__`` of its own that does not call this one's, it sets `job`.

    Args:
        job: what is done.
        config: the knobs.
        standing: who is to be trusted: the `Healer`, say. By default everybody.
        accuse: told of segments that are wrong: `Detection`'s. By default they are logged.
    """

    job: ShardJob
    config: ShardConfig = ShardConfig()
    standing: StandingView | None = None
    accuse: Accuse | None = None
    _desk: Desk[Any] | None = None

    def __init__(
        self,
        job: ShardJob,
        *,
        config: ShardConfig | None = None,
        standing: StandingView | None = None,
        accuse: Accuse | None = None,
    ) -> None:
        self.job = job
        self.config = config or type(self).config
        self.standing = standing
        self.accuse = accuse

    # -- the work: to be written ----------------------------------------------------------------------------------

    def begin(self, shard: int) -> Any:
        """The state of a shard before its first input."""
        raise self._unwritten()

    def step(self, state: Any, batch: bytes) -> bytes:
        """Takes in one input; changes the state; returns the result. No clock, no chance, no outside world."""
        raise self._unwritten()

    def snapshot(self, state: Any) -> bytes:
        """The state as bytes: the same bytes for the same state."""
        raise self._unwritten()

    def restore(self, data: bytes) -> Any:
        """The state of a snapshot: going on from it gives, bit for bit, what going on without it gives."""
        raise self._unwritten()

    def _unwritten(self) -> NotImplementedError:
        return NotImplementedError(f"{type(self).__name__} is a ShardWorker: write begin, step, snapshot and restore")

    # -- asked and told --------------------------------------------------------------------------------------------

    @property
    def held(self) -> tuple[int, ...]:
        """The shards that it holds now."""
        return self._desk.held if self._desk else ()

    def progress(self) -> list[Progress]:
        """Where each shard stands, to this worker's knowledge."""
        return self._desk.progress() if self._desk else []

    def lag_s(self) -> dict[int, float]:
        """For each shard with input that is not committed: seconds, by this worker's clock, since when nothing was
        committed though there was input. What a witness of slowness compares; see `Progress.holder` for whose it is."""
        return self._desk.lag_s() if self._desk else {}

    async def reproduce(self, kind: str, accused: PeerId, evidence: str) -> Finding:
        """Does the accused segment again: `CONFIRMED` when it is wrong and the accused has committed it.

        Args:
            kind: only ``"lying"`` can be reproduced.
            accused: who is said to have committed it.
            evidence: ``job/shard/sequence``.
        """
        named = parse_evidence(evidence)
        if self._desk is None or kind != LYING or named is None or named[0] != self.job.name:
            return Finding.UNKNOWN
        with suppress(AgentBusError):
            return await self._desk.reproduce(accused, named[1], named[2])
        return Finding.UNKNOWN

    # -- behaviors -------------------------------------------------------------------------------------------------

    @on_start
    async def _start_shards(self, ctx: Context) -> None:
        if not isinstance(getattr(self, "job", None), ShardJob):
            raise ConfigurationError(
                f"{type(self).__name__}: set self.job to a ShardJob, or call super().__init__(job)"
            )
        self._desk = Desk(self, ctx, self.job, self.config, self.standing, self._accuse)
        await self._desk.open()

    @on_stop
    async def _stop_shards(self, ctx: Context) -> None:
        if self._desk is not None:
            await self._desk.close()

    @every(TICK_S)
    async def _tick_shards(self, ctx: Context) -> None:
        if self._desk is not None:
            await self._desk.tick(ctx.now())

    @on(ShardReport, topic="*.*")
    async def _hear_worker(self, report: ShardReport, ctx: Context) -> None:
        said_by_itself = (report.agent, report.epoch) == (ctx.sender, ctx.sender_epoch)
        if self._desk is not None and report.job == self.job.name and said_by_itself:
            self._desk.heard(from_report(report), ctx.now())

    @on(PeerEvent, topic="{node}")
    async def _hear_peer(self, event: PeerEvent, ctx: Context) -> None:
        if self._desk is not None:
            self._desk.nudge()

    @on(Fault, topic="{node}")
    async def _hear_fault(self, fault: Fault, ctx: Context) -> None:
        if self._desk is not None:
            self._desk.nudge()

    @rpc(ShardStatusRequest, ShardStatus)
    async def _tell_shards(self, request: ShardStatusRequest, ctx: Context) -> ShardStatus:
        return to_status(self.job.name, self.progress())

    async def _accuse(self, accused: PeerId, node: str, evidence: str) -> None:
        if self.accuse is not None:
            told = self.accuse(LYING, accused, node, evidence)
            if inspect.isawaitable(told):
                await told
