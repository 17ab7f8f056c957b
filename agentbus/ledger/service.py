"""`Ledger`: the agent that keeps a log of what its node sends, receives, decides and does.

It writes in batches, each durable before its records are acknowledged; each second it writes a checkpoint of what is
durable, and asks its witnesses to cosign it. A witness that does not answer holds up nobody.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import ClassVar, cast

from google.protobuf.message import Message

from ..agent import Agent, present
from ..behaviors import every, on, on_start, on_stop
from ..context import Context
from ..errors import AgentBusError, Closed, ConfigurationError, DeadlineExceeded, LedgerInvalid
from ..faults import Fault, PeerEvent
from ..messages import Frame, full_name
from ..middleware import Handler, Middleware
from ..supervision import Supervision
from .codec import CosignReply, CosignRequest, HealingAction, from_outcome
from .config import LedgerConfig
from .intake import Intake, Taken
from .log import Log
from .machine import Outcome
from .model import Kind, Record
from .notes import Checkpoint, Note, Signature
from .rules import Rules
from .signing import COSIGNATURE, Key, Signer
from .store import WITNESSED, Store

WITNESSES = 2
"""With fewer, a log has a warning."""
CHECKPOINT_S = 1.0
"""Seconds between two checkpoints."""
WATCH_S = 0.5
"""Seconds between two looks at what was lost."""
STOP_S = 1.5
"""Seconds that writing what waits may take when the node ends; what is left then is told, not written."""


class Ledger(Agent):
    """Keeps an append-only log of its node.

    Args:
        store: where it lies: a `Folder`, or `InBucket`.
        signer: the log's key; its name is the log's origin, ``example.org/fleet/node-1`` say.
        witnesses: agents that cosign, by name, each with the key of its cosignatures. None at all has to be said:
            ``witnesses={}``; then nobody but the log's own key stands against its being rewritten.
        rules: what is logged, and how much of it.
        config: the knobs.
        hear: whether what the node sends, and its decisions about jobs, are logged without being asked for.
        clock: seconds since 1970.

    Attributes:
        log: what it writes to.
        witnessed: the newest checkpoint that enough witnesses have cosigned.
        refused: witnesses that refuse this log, and why.
        broken: why it writes no more, if another process has taken the log.

    Raises:
        ConfigurationError: a quorum above the number of witnesses, or a key that does not cosign.
    """

    supervision: ClassVar[Supervision] = Supervision(on_failure="resume")

    def __init__(
        self,
        store: Store,
        signer: Signer,
        *,
        witnesses: Mapping[str, Key],
        rules: Rules | None = None,
        config: LedgerConfig | None = None,
        hear: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.config = config or LedgerConfig()
        if self.config.quorum > len(witnesses):
            raise ConfigurationError(f"a quorum of {self.config.quorum}, and {len(witnesses)} witnesses")
        for name, key in witnesses.items():
            if key.kind != COSIGNATURE:
                raise ConfigurationError(f"the key of witness {name!r} signs notes: give Key.of(signer, COSIGNATURE)")
        self.log = Log(store, signer)
        self.witnessed: Note | None = None
        self.refused: dict[str, Outcome] = {}
        self._store = store
        self._witnesses = dict(witnesses)
        self._held: dict[str, int] = {}
        self._hear = hear
        self._intake = Intake(rules or Rules(), room=self.config.queue, whole=self.config.whole, clock=clock)
        self._writer: asyncio.Task[None] | None = None
        self._asker: asyncio.Task[None] | None = None
        self._sealed = asyncio.Event()
        self._ends: list[Callable[[], None]] = []
        self._name = ""
        self._told_lost = 0
        self.broken: LedgerInvalid | None = None
        self._closing = False

    # -- asked -----------------------------------------------------------------------------------------------------

    @property
    def _present(self) -> Ledger:
        """The instance that is hosted, should supervision have made this one anew."""
        return cast("Ledger", present(self))

    @property
    def lost(self) -> int:
        """Records that were not taken, as too many waited."""
        return self._present._intake.lost

    @property
    def waiting(self) -> int:
        """Records that are not written yet."""
        return len(self._present._intake)

    def put(self, record: Record, payload: bytes = b"") -> bool:
        """Logs a record soon; returns whether the rules keep any of it.

        Args:
            record: what happened; a time of 0 is now, and the node is this one unless it says another. Its size, digest
                and payload are made of `payload`, as the rules say.

        Raises:
            Busy: too many wait. It is counted, and the log will say so.
            LedgerInvalid: another process writes this log.
            Closed: the ledger has ended.
        """
        return self._present._put(record, payload, None)

    def _put(self, record: Record, payload: bytes, written: asyncio.Future[int] | None) -> bool:
        intake = self._intake
        if not (record.at_us and record.node):
            record = replace(record, at_us=record.at_us or intake.now_us(), node=record.node or intake.node)
        return intake.put(record, payload, written)

    async def append(self, record: Record, payload: bytes = b"") -> int | None:
        """Logs a record, and returns its number when it is durable; None when no rule keeps it.

        Raises:
            Busy, LedgerInvalid, Closed: as of `put`.
            DeadlineExceeded: it is not durable yet; it will be as soon as the store takes it.
        """
        written: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if not self._present._put(record, payload, written):
            return None
        try:
            async with asyncio.timeout(self.config.append_s):
                return await written
        except TimeoutError:
            raise DeadlineExceeded(f"not logged within {self.config.append_s:g} s: the log is behind") from None

    async def durable(self) -> None:
        """Returns when all that was put so far is durable. Raises `DeadlineExceeded`."""
        try:
            async with asyncio.timeout(self.config.append_s):
                await self._present._intake.idle.wait()
        except TimeoutError:
            raise DeadlineExceeded(f"not logged within {self.config.append_s:g} s: the log is behind") from None

    def records(self) -> Middleware:
        """Logs what handlers receive and have done: for ``Node(middleware=[ledger.records()])``, or a behavior."""

        def wrap(handler: Handler) -> Handler:
            async def recorded(message: Message, ctx: Context) -> Message | None:
                ledger = self._present
                if ctx.me == ledger._name:
                    return await handler(message, ctx)
                ledger._note(Kind.RECEIVED, ctx, message)
                try:
                    reply = await handler(message, ctx)
                except Exception as error:
                    ledger._note(Kind.DONE, ctx, message, outcome=type(error).__name__)
                    raise
                ledger._note(Kind.DONE, ctx, message)
                return reply

            return recorded

        return wrap

    def _note(self, kind: Kind, ctx: Context, message: Message, *, outcome: str = "") -> None:
        type_name = full_name(message)
        if not self._intake.wants(kind, ctx.subject, type_name):
            return
        record = Record(
            at_us=self._intake.now_us(),
            kind=kind,
            agent=ctx.me,
            node=ctx.node,
            peer=ctx.sender,
            subject=ctx.subject,
            type=type_name,
            message_id=ctx.message_id,
            outcome=outcome,
        )
        with suppress(AgentBusError):  # counted
            self._intake.put(record, message.SerializeToString(deterministic=True) if kind is Kind.RECEIVED else b"")

    # -- life ------------------------------------------------------------------------------------------------------

    @on_start
    async def _begin(self, ctx: Context) -> None:
        self._name, self._intake.node = ctx.me, ctx.node
        await self._store.open(ctx.transport, ctx.realm)
        try:
            await self.log.open()
        except BaseException:
            await self._store.close()
            raise
        self._intake.max_entry = self._store.max_entry
        if self._store.torn:
            ctx.log.warning("the log's journal ended in a write that was under way", bytes=self._store.torn)
        if self.log.mended:
            ctx.log.warning("the log's tiles were not whole, and were made anew of its records")
        content = await self._store.read(WITNESSED)
        self.witnessed = None if content is None else Note.parse(content)
        if self._hear:
            self._ends = [ctx.hear_decisions(self._intake.take_decision), ctx.hear_sent(self._hear_sent)]
        loop = asyncio.get_running_loop()
        self._writer = loop.create_task(self._write(ctx), name=f"{ctx.me}: write")
        self._asker = loop.create_task(self._ask_witnesses(ctx), name=f"{ctx.me}: witnesses")
        if (count := len(self._witnesses)) < WITNESSES:
            ctx.log.warning("fewer than two witnesses: who has them all can rewrite the log", witnesses=count)
        ctx.log.info("log opened", origin=self.log.origin, records=self.log.size)

    @on_stop
    async def _end(self, ctx: Context) -> None:
        self._closing = True
        for end in self._ends:
            end()
        self._intake.arrived.set()
        if self._writer is not None and self._asker is not None:
            self._asker.cancel()
            await asyncio.wait({self._asker})
            _, late = await asyncio.wait({self._writer}, timeout=STOP_S)
            for task in late:
                task.cancel()
                ctx.log.error("records were not written when the node ended", records=self.waiting)
        self._intake.shut = self._intake.shut or Closed("the ledger has ended: nothing is logged any more")
        try:
            await self.log.seal()
            await self._cosign(ctx)
        except AgentBusError as error:
            ctx.log.error("no last checkpoint", error=str(error))
        await self._store.close()

    def _hear_sent(self, subject: str, frame: Frame) -> None:
        self._intake.take_sent(subject, frame, but=self._name)

    # -- what the node decides -------------------------------------------------------------------------------------

    @on(Fault, topic="{node}")
    async def _hear_fault(self, fault: Fault, ctx: Context) -> None:
        self._decided(fault, fault.node or ctx.sender, ctx)

    @on(PeerEvent, topic="{node}")
    async def _hear_peer(self, event: PeerEvent, ctx: Context) -> None:
        self._decided(event, ctx.sender, ctx)

    @on(HealingAction, topic="*.{node}")
    async def _hear_healing(self, action: HealingAction, ctx: Context) -> None:
        self._decided(action, ctx.sender, ctx)

    def _decided(self, event: Message, who: str, ctx: Context) -> None:
        record = Record(
            at_us=0,
            kind=Kind.DECIDED,
            agent=who,
            peer=ctx.sender,
            subject=ctx.subject,
            type=full_name(event),
            message_id=ctx.message_id,
        )
        with suppress(AgentBusError):  # counted
            self.put(record, event.SerializeToString(deterministic=True))

    # -- writing ---------------------------------------------------------------------------------------------------

    async def _write(self, ctx: Context) -> None:
        """Writes what comes, until the agent ends and nothing waits."""
        intake = self._intake
        while True:
            await intake.arrived.wait()
            batch = intake.take(self.config.batch)
            if not batch and self._closing:
                return
            try:
                first = await self._append([entry for entry, _ in batch], ctx)
            except LedgerInvalid as error:
                self._break(error, batch, ctx)
                return
            for index, (_, written) in enumerate(batch, first):
                if written is not None and not written.done():
                    written.set_result(index)
            intake.written()
            if self._closing:
                intake.arrived.set()

    @every(WATCH_S)
    async def _watch(self, ctx: Context) -> None:
        """Says at once what the log itself can only say when it is written again."""
        if self.lost > self._told_lost:
            ctx.log.error("the log is behind: records were not taken", lost=self.lost - self._told_lost, all=self.lost)
            self._told_lost = self.lost

    async def _append(self, entries: list[bytes], ctx: Context) -> int:
        """Until the store takes them: what waits behind them is bounded, and what finds no room is counted."""
        while True:
            try:
                return await self.log.append(entries)
            except LedgerInvalid:
                raise
            except AgentBusError as error:
                ctx.log.error("the log can't be written", waiting=self.waiting, error=str(error))
                await asyncio.sleep(self.config.retry_s)

    def _break(self, error: LedgerInvalid, batch: Sequence[Taken], ctx: Context) -> None:
        """Another writer has the log: nothing more goes into it from here, and whoever tries is told."""
        ctx.log.error("the log is not this agent's any more", error=str(error), records=len(batch) + self.waiting)
        self.broken = self._intake.shut = error
        for _, written in batch:
            if written is not None and not written.done():
                written.set_exception(error)

    # -- checkpoints -----------------------------------------------------------------------------------------------

    @every(CHECKPOINT_S)
    async def _seal(self, ctx: Context) -> None:
        try:
            await self.log.seal()
        except AgentBusError as error:
            ctx.log.error("no checkpoint", error=str(error))
        self._sealed.set()

    async def _ask_witnesses(self, ctx: Context) -> None:
        """Has the newest checkpoint cosigned, each if witnesses are quick: checkpoints wait for none of them."""
        while True:
            await self._sealed.wait()
            self._sealed.clear()
            try:
                await self._cosign(ctx)
            except Exception as error:  # the next is cosigned
                ctx.log.error("a checkpoint was not cosigned", error=repr(error))

    async def _cosign(self, ctx: Context) -> None:
        note = self.log.note
        if note is None or not self._witnesses or (self.witnessed is not None and self.witnessed.text == note.text):
            return
        answers = await asyncio.gather(*(self._ask(name, note, ctx) for name in self._witnesses))
        lines = [line for line in answers if line is not None]
        if len(lines) >= (self.config.quorum or len(self._witnesses)):
            witnessed = note.plus(lines)
            await self._store.write([(WITNESSED, bytes(witnessed))])
            self.witnessed = witnessed

    async def _ask(self, name: str, note: Note, ctx: Context) -> Signature | None:
        """A witness's cosignature; None when it does not answer, or refuses."""
        checkpoint = note.checkpoint
        for _ in range(2):  # it may hold another size than this log remembers
            try:
                reply = await self._offer(name, note, checkpoint, ctx)
            except AgentBusError as error:
                ctx.log.warning("a witness has not cosigned", witness=name, error=str(error))
                return None
            outcome = from_outcome(reply.outcome)
            if outcome is Outcome.COSIGNED:
                return self._cosignature(name, note, reply, ctx)
            if outcome is not Outcome.OTHER_SIZE or reply.held_size > checkpoint.size:
                if self.refused.get(name) is not outcome:
                    ctx.log.error("a witness refuses this log", witness=name, why=outcome.value, held=reply.held_size)
                self.refused[name] = outcome
                return None
            self._held[name] = reply.held_size
        return None

    async def _offer(self, name: str, note: Note, checkpoint: Checkpoint, ctx: Context) -> CosignReply:
        old = min(self._held.get(name, 0), checkpoint.size)
        proof = await self.log.prove_consistency(old, checkpoint.size) if old else []
        request = CosignRequest(checkpoint=bytes(note), old_size=old, proof=proof)
        return await ctx.request(request, CosignReply, to=name, timeout_s=self.config.cosign_s)

    def _cosignature(self, name: str, note: Note, reply: CosignReply, ctx: Context) -> Signature | None:
        try:
            line = Signature.parse(reply.cosignature)
            if note.plus([line]).signed_by(self._witnesses[name]):
                self._held[name] = note.checkpoint.size
                self.refused.pop(name, None)
                return line
        except LedgerInvalid as error:
            ctx.log.error("a cosignature is not what it claims", witness=name, error=str(error))
            return None
        ctx.log.error("a cosignature is by another key than the witness's", witness=name)
        return None
