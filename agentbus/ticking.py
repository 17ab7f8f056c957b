"""An `@every` at work: one task, one tick after the other; and how hooks are run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from .context import Context
from .messages import said
from .specs import EverySpec
from .statistics import Counters
from .worker import Host, failure_of


async def call(act: Callable[[Context], Awaitable[None]], ctx: Context) -> None:
    """Runs a tick or a hook. What it raises that is no `Exception`, though nobody ends it, is raised as a failure."""
    try:
        await act(ctx)
    except BaseException as raised:
        error = failure_of(raised)
        if error is None or error is raised:
            raise
        raise error from raised


class Ticker:
    """Ticks until it is ended, or a failure stops the host. A tick that is late delays the next; none are made up for.

    Args:
        host: the agent's side.
        spec: when.
        act: the behavior.
        counters: where it counts.
    """

    __slots__ = ("_act", "_counters", "_host", "_over", "_resting", "_spec", "task")

    def __init__(
        self, host: Host, spec: EverySpec, act: Callable[[Context], Awaitable[None]], counters: Counters
    ) -> None:
        self._host = host
        self._spec = spec
        self._act = act
        self._counters = counters
        self._resting = True
        self._over = False
        self.task = host.port.bus.loop.create_task(self._run(), name=f"{host.name}.{spec.name}")

    @property
    def ticking(self) -> bool:
        """Whether a tick runs now."""
        return not self._resting and not self.task.done()

    def end(self) -> None:
        """No further tick; one that runs may finish."""
        self._over = True
        if self._resting:
            self.task.cancel()

    async def _run(self) -> None:
        host, spec, counters = self._host, self._spec, self._counters
        loop = host.port.bus.loop
        due = loop.time() + (0.0 if spec.immediately else spec.period_s)
        while host.running and not self._over:
            shift = host.rng.uniform(-0.5, 0.5) * spec.jitter * spec.period_s if spec.jitter else 0.0
            await asyncio.sleep(max(0.0, due + shift - loop.time()))
            self._resting = False
            began = loop.time()
            try:
                await call(self._act, Context(host))
                counters.handled += 1
            except Exception as error:
                counters.failed += 1
                counters.last_error = f"{type(error).__name__}: {said(error)}"[:500]
                host.failed(spec.name, error)
            finally:
                counters.busy_s += loop.time() - began
                self._resting = True
            due = max(due + spec.period_s, loop.time())
