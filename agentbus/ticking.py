"""An `@every` at work: one task, one tick after the other; and how hooks are run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from .context import Context
from .messages import said
from .specs import EverySpec
from .statistics import Counters
from .worker import Host, stray


async def call(act: Callable[[Context], Awaitable[None]], ctx: Context) -> None:
    """Runs a tick or a hook. A CancelledError that is not this task's own is a failure, and raised as one."""
    try:
        await act(ctx)
    except asyncio.CancelledError:
        error = stray()
        if error is None:
            raise
        raise error from None


async def tick(host: Host, spec: EverySpec, act: Callable[[Context], Awaitable[None]], counters: Counters) -> None:
    """Ticks until it is cancelled, or a failure stops the host. A tick that is late delays the next; none are made up
    for."""
    loop = host.port.bus.loop
    due = loop.time() + (0.0 if spec.immediately else spec.period_s)
    while True:
        shift = host.rng.uniform(-0.5, 0.5) * spec.jitter * spec.period_s if spec.jitter else 0.0
        await asyncio.sleep(max(0.0, due + shift - loop.time()))
        began = loop.time()
        try:
            await call(act, Context(host))
            counters.handled += 1
        except Exception as error:
            counters.failed += 1
            counters.last_error = f"{type(error).__name__}: {said(error)}"[:500]
            host.failed(spec.name, error)
            if not host.running:
                return
        finally:
            counters.busy_s += loop.time() - began
        due = max(due + spec.period_s, loop.time())
