"""Checks what others have committed, tells that it is right, accuses when it is not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Generic, TypeVar

from ..context import Context
from ..errors import AgentBusError
from ..peers import PeerId
from .checks import Checks, Key
from .config import ShardConfig
from .journal import Journal
from .knowledge import Fleet
from .log import Link, ShardLog
from .model import Attest, Finding, Segment, evidence_of
from .work import Recomputation, Work

S = TypeVar("S")

Accusation = Callable[[PeerId, str, str], Awaitable[None]]
"""Called with the accused, its node, and the evidence."""


class Inspector(Generic[S]):
    """One worker's.

    Args:
        work: what is done.
        ctx: of the agent's start.
        journal: the streams.
        logs: of all shards, read on by others.
        fleet: who is to be trusted.
        config: the knobs.
        accuse: told of segments that are wrong.
        give_up: told of those that are still there though nobody is left who could be convicted of them.
    """

    def __init__(
        self,
        work: Work[S],
        ctx: Context,
        journal: Journal,
        logs: Mapping[int, ShardLog],
        fleet: Fleet,
        config: ShardConfig,
        accuse: Accusation,
        give_up: Callable[[Key], None],
    ) -> None:
        self._ctx = ctx
        self._me = PeerId(ctx.me, ctx.epoch)
        self._journal = journal
        self._logs = logs
        self._fleet = fleet
        self._config = config
        self._accuse = accuse
        self._give_up = give_up
        self._recomputation = Recomputation(work, journal)
        self._checks = Checks(config, ctx.rng.random)
        self._to_accuse: dict[Key, None] = {}
        self._wake = asyncio.Event()

    def seen(self, shard: int, sequence: int, author: PeerId) -> None:
        """Another's segment counts from now on."""
        self._checks.seen((shard, sequence), author, self._ctx.now())

    def settle(self, others: int, now: float) -> None:
        """Draws where it is time to. `others`: workers that are not the author."""
        for key in self._checks.settle(self._needed, others, now):
            self._to_accuse[key] = None
        if self._to_accuse or self._checks.waiting:
            self._wake.set()

    async def run(self) -> None:
        """Makes the checks that were drawn, one after the other."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._to_accuse:
                key = next(iter(self._to_accuse))
                del self._to_accuse[key]
                await self._tell_wrong(key, again=True)
            key = self._checks.next()
            if key is not None:
                self._wake.set()
                with suppress(AgentBusError):  # not checked now: it is drawn for again
                    await self._check(key)

    async def reproduce(self, accused: PeerId, shard: int, sequence: int) -> Finding:
        """Does an accused segment again. `DENIED` costs its accuser: it is said of what is certain only. Raises
        `StorageFailed`, `NotConnected`."""
        if shard not in self._logs:
            return Finding.DENIED  # nobody has such a shard
        segment = await self._journal.entry(shard, sequence)
        if segment is None:
            return Finding.UNKNOWN  # it may be there soon, or is gone
        if not isinstance(segment, Segment):
            return Finding.DENIED  # a claim
        claim = self._logs[shard].holders.get(segment.token)
        if claim is None:
            return Finding.UNKNOWN  # its claim was not read yet
        if claim.holder != accused:
            return Finding.DENIED
        return await self._recomputation.judge(shard, sequence)

    # -- inside ----------------------------------------------------------------------------------------------------

    def _needed(self, key: Key) -> bool:
        link, liars = self._link(key), self._config.liars
        return link is not None and self._fleet.trusted(link.author) and not link.verified(liars, self._fleet.trusted)

    def _link(self, key: Key) -> Link | None:
        return self._logs[key[0]].link(key[1])

    async def _check(self, key: Key) -> None:
        link = self._link(key)
        if link is None or not self._needed(key):
            return
        shard, sequence = key
        finding = await self._recomputation.judge(shard, sequence)
        if finding is Finding.DENIED and link.author.name != self._me.name:
            await self._journal.attest(shard, Attest(segment=sequence, by=self._me))
        self._checks.found(key, finding)
        if finding is Finding.CONFIRMED:
            await self._tell_wrong(key)

    async def _tell_wrong(self, key: Key, *, again: bool = False) -> None:
        link = self._link(key)
        if link is None:
            return
        node = self._fleet.node_of(link.author)
        if node is None and again:
            self._give_up(key)  # a life that is over is convicted of nothing
            return
        evidence = evidence_of(self._journal.job.name, *key)
        self._ctx.log.warning("segment is wrong", author=str(link.author), evidence=evidence)
        with suppress(AgentBusError):
            # What its claim says of its node is the author's word: another node's name would spare it the accusation.
            await self._accuse(link.author, node or link.node, evidence)
