"""The writer at work: what `LedgerMachine` decides, carried out on a bucket.

One task, `run`, reads and commits; `do` may be called by any number of others meanwhile, and what they ask for is the
next batch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import count

from structlog.typing import FilteringBoundLogger

from ...errors import AgentBusError, Busy, Closed, Conflict, StorageFailed
from ...storage import Bucket, Put
from ..model import Refusal, Tick
from .codec import write_record
from .ledger import fetch
from .machine import (
    Answer,
    Commit,
    Committed,
    Conflicted,
    Deposed,
    Effect,
    Event,
    Fail,
    Fetch,
    Fetched,
    LedgerMachine,
    Submit,
    Unanswered,
)
from .model import Command, Receipt, Record

READS = 64
"""Records that are read at once."""
CONFLICT_S = 0.01
"""Seconds before the books are read again after a conflict."""
RETRY_S = 0.25
"""Seconds before a store that did not answer is asked again."""

Outcome = Receipt | Refusal


class Writer:
    """Writes one ledger until it is deposed.

    Args:
        bucket: the ledger.
        machine: decides.
        ledger: its name.
        clock: seconds since 1970.
        logger: where trouble is told.
    """

    def __init__(
        self,
        bucket: Bucket,
        machine: LedgerMachine,
        ledger: str,
        clock: Callable[[], float],
        logger: FilteringBoundLogger,
    ) -> None:
        self._bucket = bucket
        self._machine = machine
        self._ledger = ledger
        self._clock = clock
        self._logger = logger
        self._tickets = count(1)
        self._waiting: dict[int, asyncio.Future[Outcome]] = {}
        self._wake = asyncio.Event()
        self._over = ""

    @property
    def over(self) -> bool:
        """Whether it writes no more."""
        return self._machine.deposed or bool(self._over)

    async def do(self, transaction: str, by: str, command: Command) -> Outcome:
        """Has a command done; returns when it is committed, or refused. It is done, too, when nobody waits any more:
        who asks again with the same id finds it done.

        Raises:
            Busy: it was not begun: too many wait, or this writer is deposed.
            StorageFailed: the store did not answer; whether it was done is not known.
        """
        if self._over:
            raise Busy(self._over)
        ticket = next(self._tickets)
        future = self._waiting[ticket] = asyncio.get_running_loop().create_future()
        submit = Submit(ticket=ticket, transaction=transaction, by=by, command=command)
        self._carry_out(self._machine.handle(submit, self._clock()))
        self._wake.set()
        return await future

    async def run(self) -> None:
        """Until it is deposed, or the wire is closed. Who waits then is told so."""
        machine = self._machine
        why = "the ledger's writer was stopped"
        try:
            while not machine.deposed:
                if machine.next_deadline() is None:
                    self._wake.clear()
                    await self._wake.wait()
                asked = self._carry_out(machine.handle(Tick(), self._clock()))
                while asked is not None:
                    answer = await self._ask(asked)
                    asked = self._carry_out(machine.handle(answer, self._clock()))
            why = "another writer came after this one"
        except Closed:
            why = "the transport was closed"
        finally:
            self._over = f"{why}: ask again, with the same id"
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(StorageFailed(self._over))

    def _carry_out(self, effects: Sequence[Effect]) -> Fetch | Commit | None:
        """Tells who waits; returns what is to be asked of the store."""
        asked = None
        for effect in effects:
            match effect:
                case Answer():
                    if (future := self._take(effect.ticket)) is not None:
                        future.set_result(effect.outcome)
                case Fail():
                    if (future := self._take(effect.ticket)) is not None:
                        future.set_exception(StorageFailed(effect.why) if effect.unknown else Busy(effect.why))
                case Deposed():
                    self._logger.info("ledger handed over", ledger=self._ledger, why=effect.why)
                case Fetch() | Commit():
                    asked = effect
        return asked

    def _take(self, ticket: int) -> asyncio.Future[Outcome] | None:
        future = self._waiting.pop(ticket, None)
        return None if future is None or future.done() else future

    # -- the store -------------------------------------------------------------------------------------------------

    async def _ask(self, effect: Fetch | Commit) -> Event:
        try:
            if isinstance(effect, Fetch):
                return Fetched(await self._fetch(effect.keys))
            puts = [
                Put(change.key, write_record(change.record, self._ledger), change.expected) for change in effect.changes
            ]
            return Committed(await self._bucket.commit(puts))
        except Conflict:
            await asyncio.sleep(CONFLICT_S)
            return Conflicted()
        except Closed:
            raise
        except AgentBusError as error:
            self._logger.warning("ledger waits for its store", ledger=self._ledger, error=str(error))
            await asyncio.sleep(RETRY_S)
            return Unanswered(str(error))

    async def _fetch(self, keys: Sequence[str]) -> dict[str, tuple[int, Record | None]]:
        found: dict[str, tuple[int, Record | None]] = {}
        for first in range(0, len(keys), READS):
            some = keys[first : first + READS]
            read = await asyncio.gather(*(fetch(self._bucket, key) for key in some), return_exceptions=True)
            for key, each in zip(some, read, strict=True):
                if isinstance(each, BaseException):
                    raise each
                found[key] = each
        return found
