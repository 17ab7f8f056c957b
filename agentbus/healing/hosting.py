"""What a node is asked to do itself: begin a new life, take over from another. It does so when it knows why.

Whoever asks is one voice, and the witnesses that it names are its words. So nothing is done before this node knows of
the fault: found out by its own rooms, or told by f + 1 others.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from ..context import Context
from .codec import RehostRequest, RestartRequest, from_restart
from .config import HealingConfig
from .effector import OnRehost, OnRestart
from .model import Life, Record, Trouble

MAX_ASKED = 1024
"""Requests remembered, so that a repeated one is done once."""
MAX_PENDING = 64
"""Requests that wait until this node knows of the fault."""


class Host(Protocol):
    """What the room's service is to those requests."""

    config: HealingConfig
    on_restart: OnRestart | None
    on_rehost: OnRehost | None

    def agrees(self, life: Life, ctx: Context) -> bool:
        """Whether this node knows of a fault of that life."""
        ...

    def is_peer(self, node: str, epoch: int, ctx: Context) -> bool:
        """Whether that node lives, in that life, and is not in quarantine."""
        ...

    async def write(self, record: Record, ctx: Context) -> None:
        """Writes it to the log."""
        ...


@dataclass(frozen=True, slots=True)
class _Pending:
    action: str
    agent: str
    trouble: Trouble
    by: str
    by_epoch: int
    until_s: float


class Hosting:
    """The requests to one node.

    Args:
        host: the room's service.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._done: dict[str, float] = {}
        self._pending: dict[str, _Pending] = {}

    async def restart(self, request: RestartRequest, ctx: Context) -> None:
        """This node, or an agent of it, is to begin a new life; the request's sender was checked."""
        trouble = from_restart(request)
        if (request.node, request.epoch) != (ctx.node, ctx.epoch) or self._is_done(request.agent, ctx):
            return  # it is about a life that is over, or was done a moment ago
        if self._host.on_restart is None or self._host.config.dry_run:
            why = "dry run" if self._host.config.dry_run else "the application gave no on_restart"
            await self._answer("restart", trouble, f"refused: {why}", ctx)
            return
        await self._wait("restart", request.agent, trouble, request, ctx)

    async def rehost(self, request: RehostRequest, ctx: Context) -> None:
        """This node is to take over; the request's sender was checked."""
        life, key = Life(request.agent, request.node, request.epoch), f"{request.fault}>"
        if self._host.on_rehost is None or self._host.config.dry_run or self._is_done(key, ctx):
            return
        trouble = Trouble(kind=request.fault.partition("/")[0], life=life, reason=request.reason)
        await self._wait("rehost", key, trouble, request, ctx)

    async def _wait(
        self, action: str, key: str, trouble: Trouble, request: RestartRequest | RehostRequest, ctx: Context
    ) -> None:
        """Keeps it until this node knows of the fault, which the others may have heard of a moment before."""
        if len(self._pending) >= MAX_PENDING:
            return
        until_s = ctx.now() + self._host.config.turn_s
        asked = _Pending(action, request.agent, trouble, request.by, request.by_epoch, until_s)
        self._pending.setdefault(key, asked)
        await self.look(ctx)

    async def look(self, ctx: Context) -> None:
        """Does what was asked for and is known to be right by now; refuses what has waited for too long."""
        for key, asked in list(self._pending.items()):
            by_peer = self._host.is_peer(asked.by, asked.by_epoch, ctx)
            if by_peer and self._host.agrees(asked.trouble.life, ctx):
                del self._pending[key]
                self._remember(key, ctx)
                await self._do(asked, ctx)
            elif asked.until_s <= ctx.now():
                del self._pending[key]
                unknown = f"this node has not found it out, nor have {self._host.config.voices()} others told it"
                refused = f"refused: {unknown if by_peer else 'a stranger asks'}"
                await self._answer(asked.action, asked.trouble, refused, ctx)

    async def _do(self, asked: _Pending, ctx: Context) -> None:
        trouble, restart, rehost = asked.trouble, self._host.on_restart, self._host.on_rehost
        if asked.action == "restart" and restart is not None:
            await self._answer("restart", trouble, "restarting", ctx)  # afterwards there may be nobody to tell it
            await self._call("restart", partial(restart, asked.agent, trouble.reason), trouble, ctx)
        elif asked.action == "rehost" and rehost is not None:
            call = partial(rehost, asked.agent, trouble.life.node, trouble.reason)
            if await self._call("rehost", call, trouble, ctx):
                await self._answer("rehost", trouble, "hosted here", ctx)

    def _is_done(self, key: str, ctx: Context) -> bool:
        return ctx.now() - self._done.get(key, -1e18) < self._host.config.restart_s

    def _remember(self, key: str, ctx: Context) -> None:
        self._done[key] = ctx.now()
        if len(self._done) > MAX_ASKED:
            del self._done[next(iter(self._done))]

    async def _call(
        self, action: str, callback: Callable[[], Awaitable[None] | None], trouble: Trouble, ctx: Context
    ) -> bool:
        """Calls back into the application; returns whether it went well."""
        try:
            async with asyncio.timeout(self._host.config.effect_s):
                called = callback()
                if inspect.isawaitable(called):
                    await called
        except Exception as error:  # the application's: whatever it raises, this node goes on
            await self._answer(action, trouble, f"failed: {type(error).__name__}: {error}", ctx)
            return False
        return True

    async def _answer(self, action: str, trouble: Trouble, outcome: str, ctx: Context) -> None:
        record = Record(trouble=trouble, action=action, reason=trouble.reason, rule="asked", outcome=outcome)
        await self._host.write(record, ctx)
