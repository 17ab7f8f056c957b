"""A job's two streams: the inputs of its shards, and their result logs with the attestations beside them.

Subjects: ``{realm}.shard.{job}.in.{shard}``, ``{realm}.shard.{job}.out.{shard}`` and
``{realm}.shard.{job}.ok.{shard}.{agent}``. All that is written to a log is compare-and-set on its last message, so that
the server refuses whoever was fenced. Both streams refuse what is above their limits: neither inputs nor results are
ever dropped to make room.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from ..subjects import check_name
from ..transport import Consumption, StoredMessage, StreamLimits, StreamSpec, Transport
from .codec import decode_attest, decode_entry, encode
from .model import Attest, Claim, Entry, Segment, ShardJob

Reader = Callable[[int, int, Entry | None], None]
"""Called with shard, number in the log, and what was read; None for what can't be."""


class Journal:
    """One job's streams, on one wire.

    Args:
        transport: the wire, connected.
        realm: the job's realm.
        job: the job.
        limits: of each stream, but for the copies, which the job says; by default as `ShardConfig.limits`.
        timeout_s: seconds that one operation may take.
    """

    def __init__(
        self,
        transport: Transport,
        realm: str,
        job: ShardJob,
        *,
        limits: StreamLimits | None = None,
        timeout_s: float = 5.0,
    ) -> None:
        self._transport = transport
        self._root = f"{check_name(realm, 'realm')}.shard.{job.name}"
        self._limits = replace(limits or StreamLimits(max_age_s=0.0), replicas=job.replicas)
        self._timeout_s = timeout_s
        self.job = job
        self.inputs_stream = f"agentbus_{realm}_shard_{job.name}_in"
        self.results_stream = f"agentbus_{realm}_shard_{job.name}_out"

    async def ensure(self) -> None:
        """Makes the streams unless they are there. Raises `StorageFailed`, `NotConnected`."""
        specs = (
            (self.inputs_stream, (f"{self._root}.in.*",)),
            (self.results_stream, (f"{self._root}.out.*", f"{self._root}.ok.*.*")),
        )
        for name, subjects in specs:
            await self._transport.ensure_stream(
                StreamSpec(name=name, subjects=subjects, limits=self._limits, refuse_when_full=True),
                timeout_s=self._timeout_s,
            )

    # -- inputs ----------------------------------------------------------------------------------------------------

    async def put(self, shard: int, body: bytes, *, message_id: str, expected: int | None = None) -> int:
        """Stores one batch of records; returns its number. Raises `StorageFailed`, `Conflict`, `PayloadTooLarge`."""
        stored = await self._transport.store(
            f"{self._root}.in.{shard}", body, message_id=message_id, expected=expected, timeout_s=self._timeout_s
        )
        return stored.sequence

    async def inputs(self, shard: int, after: int, limit: int) -> list[tuple[int, bytes]]:
        """The next inputs of a shard after number `after`, at most `limit`, each with its number."""
        found: list[tuple[int, bytes]] = []
        while len(found) < limit:
            message = await self._transport.after(
                self.inputs_stream, f"{self._root}.in.{shard}", after, timeout_s=self._timeout_s
            )
            if message is None:
                break
            after = message.sequence
            found.append((after, message.body))
        return found

    async def oldest_input(self) -> int:
        """The number of the oldest input that is kept, of any shard; 0: none is."""
        message = await self._transport.after(self.inputs_stream, f"{self._root}.in.*", 0, timeout_s=self._timeout_s)
        return message.sequence if message else 0

    async def counts(self) -> Mapping[int, int]:
        """How many inputs each shard has; without those that have none."""
        counts = await self._transport.subjects(self.inputs_stream, f"{self._root}.in.*", timeout_s=self._timeout_s)
        return {shard: count for subject, count in counts.items() if (shard := self._shard(subject, -1)) is not None}

    # -- result logs -----------------------------------------------------------------------------------------------

    async def append(self, shard: int, entry: Claim | Segment, *, expected: int, message_id: str) -> int:
        """Writes to a shard's log; returns the number.

        Raises:
            Conflict: another message is the last one: whoever appends has been fenced, or has to read on.
            StorageFailed: not acknowledged; it may be stored.
            PayloadTooLarge: results and checkpoint together are more than a message holds.
        """
        stored = await self._transport.store(
            f"{self._root}.out.{shard}",
            encode(entry),
            message_id=message_id,
            expected=expected,
            timeout_s=self._timeout_s,
        )
        return stored.sequence

    async def attest(self, shard: int, attest: Attest) -> None:
        """Writes that a segment was found right."""
        await self._transport.store(
            f"{self._root}.ok.{shard}.{attest.by.name}",
            encode(attest),
            message_id=f"{self._root}.ok.{shard}.{attest.segment}.{attest.by}",
            timeout_s=self._timeout_s,
        )

    async def entry(self, shard: int, sequence: int) -> Claim | Segment | None:
        """The message of that number in a shard's log; None: there is none, or it can't be read."""
        message = await self._transport.after(
            self.results_stream, f"{self._root}.out.{shard}", sequence - 1, timeout_s=self._timeout_s
        )
        return decode_entry(message.body) if message is not None and message.sequence == sequence else None

    async def next(self, shard: int, after: int) -> tuple[int, Claim | Segment | None] | None:
        """The first message of a shard's log with a number above `after`; None: there is none."""
        message = await self._transport.after(
            self.results_stream, f"{self._root}.out.{shard}", after, timeout_s=self._timeout_s
        )
        return None if message is None else (message.sequence, decode_entry(message.body))

    async def last(self, shard: int) -> int:
        """The number of the last message of a shard's log; 0: there is none."""
        message = await self._transport.last(
            self.results_stream, f"{self._root}.out.{shard}", timeout_s=self._timeout_s
        )
        return message.sequence if message else 0

    async def next_attest(self, shard: int, after: int) -> tuple[int, Attest | None] | None:
        """The first attestation about a shard with a number above `after`; None: there is none."""
        message = await self._transport.after(
            self.results_stream, f"{self._root}.ok.{shard}.*", after, timeout_s=self._timeout_s
        )
        return None if message is None else (message.sequence, decode_attest(message.body))

    async def follow(self, reader: Reader) -> Consumption:
        """Tells of every message of all logs and all attestations, from the beginning on, in order."""

        def receive(message: StoredMessage) -> None:
            kind = message.subject.split(".", 4)[3]
            if kind == "out":
                shard = self._shard(message.subject, -1)
                if shard is not None:
                    reader(shard, message.sequence, decode_entry(message.body))
            else:
                shard = self._shard(message.subject, -2)
                attest = decode_attest(message.body)
                if shard is not None and attest is not None and attest.by.name == message.subject.rpartition(".")[2]:
                    reader(shard, message.sequence, attest)

        filters = (f"{self._root}.out.*", f"{self._root}.ok.*.*")
        return await self._transport.follow(self.results_stream, filters, receive, after=0, timeout_s=self._timeout_s)

    def _shard(self, subject: str, token: int) -> int | None:
        word = subject.split(".")[token]
        number = int(word) if word.isascii() and word.isdigit() and len(word) < 10 else -1
        return number if 0 <= number < self.job.shards else None
