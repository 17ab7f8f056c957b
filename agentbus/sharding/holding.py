"""One shard in the hands of its holder: claim, restore, work, commit, until somebody else has it.

Invariants: nothing is written but by compare-and-set on the last message that was read; a `Conflict` with a newer claim
ends it at once; the state in memory is always that of the last live segment of the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from structlog.typing import FilteringBoundLogger

from ..errors import AgentBusError, CheckpointInvalid, Conflict, NotConnected, StorageFailed
from ..peers import PeerId
from .config import ShardConfig
from .journal import Journal
from .log import ShardLog
from .model import Claim, Segment, digest_of
from .work import Work

S = TypeVar("S")

CONFLICT_S = 0.01
"""Seconds before the log is read again after a refusal."""


class Fenced(AgentBusError):
    """Another worker has claimed the shard with a later token, or this one is quarantined: it drops the shard."""


class Holding(Generic[S]):
    """Holds one shard.

    Args:
        shard: which.
        token: the lease's.
        me, node: who holds it.
        work: what is done.
        log: the shard's log, read on by others as well.
        journal: the streams.
        config: the knobs.
        run_id: no other holding has it: two writes of one message id would be one.
        allowed: whether this worker may hold anything: it is not quarantined.
        rewind: tells the number of the segment to rewind to, None for no need.
        unreadable: told the number of a segment whose checkpoint can't be restored, or gone on from.
        logger: where trouble is told.

    Attributes:
        replayed: inputs that had been committed, were made void by this holder, and are done again.
    """

    def __init__(
        self,
        shard: int,
        token: int,
        me: PeerId,
        node: str,
        *,
        work: Work[S],
        log: ShardLog,
        journal: Journal,
        config: ShardConfig,
        run_id: str,
        allowed: Callable[[], bool],
        rewind: Callable[[], int | None],
        unreadable: Callable[[int], None],
        logger: FilteringBoundLogger,
    ) -> None:
        self.shard = shard
        self.token = token
        self.replayed = 0
        self._me = me
        self._node = node
        self._work = work
        self._log = log
        self._journal = journal
        self._config = config
        self._run_id = run_id
        self._allowed = allowed
        self._rewind = rewind
        self._unreadable = unreadable
        self._logger = logger.bind(shard=shard, token=token)
        self._at = 0  # the number of the log's last message when the state in memory was its outcome
        self._tries = 0

    async def run(self) -> None:
        """Until it is cancelled. Raises `Fenced`, and whatever the user's code raises."""
        while True:
            try:
                await self._hold()
            except Conflict:
                await asyncio.sleep(CONFLICT_S)  # then read on, and see whose the shard is
            except (StorageFailed, NotConnected) as error:
                self._logger.info("shard waits for its streams", error=str(error))
                await asyncio.sleep(self._config.leases.retry_s)

    async def _hold(self) -> None:
        state = await self._take()
        while True:
            self._check()
            if self._rewind() is not None:
                state = await self._take()
            inputs = await self._journal.inputs(self.shard, self._log.position, self._config.segment_inputs)
            if not inputs:
                await asyncio.sleep(self._config.idle_s)
                continue
            try:
                await self._commit(state, inputs)
            except AgentBusError:
                raise
            except Exception as error:  # what a poisoned checkpoint makes the user's code raise, or a defect of it
                self._condemn(error)
                state = await self._take()

    # -- taking ----------------------------------------------------------------------------------------------------

    async def _take(self) -> S:
        """Claims the shard unless it is claimed, voids what is not to be built upon, and restores the state."""
        while True:
            await self._read_on()
            rewind = self._rewind()
            mine = self._log.token == self.token and self._log.claim is not None and self._log.claim.holder == self._me
            if rewind is not None or not mine:
                await self._claim(self._log.tip_sequence if rewind is None else rewind)
            self._at = self._log.last
            tip = self._log.tip
            if tip is None:
                return self._work.begin(self.shard)
            segment = await self._journal.entry(self.shard, tip.sequence)
            if not isinstance(segment, Segment):
                raise StorageFailed(
                    f"shard {self.shard}: segment {tip.sequence} is gone from {self._journal.results_stream}"
                )
            try:
                if digest_of(segment.checkpoint) == segment.digest:
                    return self._work.restore(segment.checkpoint)
                raise CheckpointInvalid(f"shard {self.shard}: segment {tip.sequence}: its checkpoint was altered")
            except Exception as error:  # whatever bytes that are no snapshot make the user's code raise
                self._condemn(error)

    def _condemn(self, error: Exception) -> None:
        """Nothing is built on the last segment any more: it is another's, nobody vouches for it, and one can't go on
        from it. Raises `error` when that is not so."""
        tip = self._log.tip
        if tip is None or tip.author == self._me:
            raise error
        self._unreadable(tip.sequence)
        if self._rewind() is None:
            raise error
        self._logger.warning("checkpoint leads nowhere", error=repr(error), author=str(tip.author))

    async def _read_on(self) -> None:
        """Reads the log to its end. Raises `Fenced`."""
        while (found := await self._journal.next(self.shard, self._log.last)) is not None:
            self._log.apply(*found)
        self._not_fenced()

    def _check(self) -> None:
        """Raises `Fenced`; or `Conflict`, when the log has more than the state in memory knows of."""
        self._not_fenced()
        if self._log.last != self._at:
            raise Conflict(f"shard {self.shard}: message {self._log.last} of its log was not expected")

    def _not_fenced(self) -> None:
        if not self._allowed():
            raise Fenced(f"shard {self.shard}: {self._me} may not hold it")
        claim = self._log.claim
        if claim is not None and (claim.token > self.token or (claim.token == self.token and claim.holder != self._me)):
            raise Fenced(f"shard {self.shard}: {claim.holder} has claimed it with token {claim.token}")

    async def _claim(self, rewind_to: int) -> None:
        before = self._log.committed
        self._at = self._log.last
        await self._append(Claim(holder=self._me, node=self._node, token=self.token, rewind_to=rewind_to))
        self.replayed += before - self._log.committed
        self._logger.info("shard claimed", rewind_to=rewind_to, void_inputs=before - self._log.committed)

    # -- working ---------------------------------------------------------------------------------------------------

    async def _commit(self, state: S, inputs: list[tuple[int, bytes]]) -> None:
        numbers: list[int] = []
        results: list[bytes] = []
        size = 0
        for number, body in inputs:
            result = self._work.step(state, body)
            numbers.append(number)
            results.append(result)
            size += len(result)
            await asyncio.sleep(0)
            if size > self._config.segment_bytes:
                break
        checkpoint = self._work.snapshot(state)
        await self._append(
            Segment(
                token=self.token,
                previous=self._log.tip_sequence,
                inputs=tuple(numbers),
                results=tuple(results),
                digest=digest_of(checkpoint),
                checkpoint=checkpoint,
            )
        )

    async def _append(self, entry: Claim | Segment) -> None:
        self._check()
        self._tries += 1
        sequence = await self._journal.append(
            self.shard,
            entry,
            expected=self._at,
            message_id=f"{self._me}/{self._run_id}/{self._tries}",
        )
        self._log.apply(sequence, entry)
        self._at = sequence
