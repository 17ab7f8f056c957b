"""Looking again: reproductions, bounded in number and time, fair among those who ask for them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Protocol

from structlog.typing import FilteringBoundLogger

from ..agent import Agent, present
from ..peers import PeerId
from .config import DetectionConfig
from .verdicts.model import Case, Finding, Reproduce


class Said(Protocol):
    """A finding of any room: an enum whose value is ``"confirmed"``, ``"denied"`` or ``"unknown"``."""

    @property
    def value(self) -> Any: ...


class Reproducer(Protocol):
    """Looks again at what an agent is accused of, by what this node can see itself."""

    def reproduce(self, kind: str, accused: PeerId, evidence: str) -> Coroutine[Any, Any, Said]:
        """What looking again has shown: `Finding` or its equal. `CONFIRMED` and `DENIED` are said only of what is
        certain; whatever it raises, and being cut off after `reproduce_s`, is `UNKNOWN`."""
        ...


class Reproductions:
    """One node's.

    Args:
        reproducers: by kind of fault. Of an agent that was built again the present instance is asked.
        config: the knobs.
        log: for what goes wrong.
        needed: whether a look is still to be taken, asked when its turn has come.
        tell: called with what was found.
    """

    def __init__(
        self,
        reproducers: Mapping[str, Reproducer],
        config: DetectionConfig,
        log: FilteringBoundLogger,
        needed: Callable[[Case], bool],
        tell: Callable[[Case, Finding], Awaitable[None]],
    ) -> None:
        self._reproducers = reproducers
        self._config = config
        self._log = log
        self._needed = needed
        self._tell = tell
        self._waiting: dict[str, deque[Case]] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._over = False

    def ask(self, asked: Reproduce) -> Case | None:
        """Starts it now or later; returns the case when there is no room for it."""
        queue = self._waiting.setdefault(asked.author, deque())
        if len(queue) >= self._config.max_waiting or self._over:
            return asked.case
        queue.append(asked.case)
        self._start()
        return None

    async def close(self) -> None:
        """Ends all."""
        self._over = True
        self._waiting.clear()
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _start(self) -> None:
        while len(self._running) < self._config.reproductions and self._waiting and not self._over:
            author = next(iter(self._waiting))
            queue = self._waiting.pop(author)
            case = queue.popleft()
            if queue:
                self._waiting[author] = queue  # behind the others
            if not self._needed(case):
                continue
            task = asyncio.get_running_loop().create_task(self._run(case), name=f"reproduce {case.kind}")
            self._running.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._start()

    async def _run(self, case: Case) -> None:
        await self._tell(case, await self._look(case))

    async def _look(self, case: Case) -> Finding:
        given = self._reproducers.get(case.kind)
        if given is None:
            return Finding.UNKNOWN
        reproducer: Any = present(given) if isinstance(given, Agent) else given
        try:
            async with asyncio.timeout(self._config.reproduce_s):
                said: Said = await reproducer.reproduce(case.kind, case.accused, case.evidence)
            return Finding(said.value)
        except TimeoutError:
            self._log.warning("reproduction took too long", kind=case.kind, evidence=case.evidence)
        except Exception as error:  # whatever the application's code raises: it has found out nothing
            self._log.warning("reproduction failed", kind=case.kind, evidence=case.evidence, error=repr(error))
        return Finding.UNKNOWN
