"""Claims, kept: in a small stream of the realm's, by compare and set, so that all nodes of a durable consumer, and
their later lives, judge by the same.

Each node writes what it has taken under its own name, ``{realm}.seen.{node}.{consumer}.{page}``, and reads what all
have written of the consumer's page. A page holds some of a key's streams (see `pages`), so that what is kept of a key
is bounded, however many streams it opens. A write is stored only if nothing of any of them has come since that was read
(`among` of `Transport.store`), so of two nodes that claim one frame at two places one does.

Deliveries of one consumer are judged in the order in which they came, those that have come meanwhile together: one
write for each of their pages. They are handed on when it has been acknowledged, so what was handled has always been
claimed. Completions are written with the next claim, or after a while: one that is lost leaves a claim open, which
lets a redelivery pass, and no copy.

A node's word counts for itself: that it has taken or completed a frame. A lie withholds frames from the consumer, and
lets none pass again. Where a broker does not hold nodes to their names, whoever may write to the stream can do that,
too.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from typing import NamedTuple

from ..errors import AgentBusError, Conflict, StorageFailed
from ..transport import Headers, Job, StoredMessage, StreamLimits, StreamSpec, Transport
from .claims import Claim
from .pages import NAME_BYTES, PAGES, Page, SharedPage

BATCH = 1024
"""Deliveries that are judged together."""
CACHED = 1024
"""Pages whose claims are remembered beside what is kept."""
ATTEMPTS = 64
"""Writes of others that may come before one's own."""
MAX_BYTES = 64 << 20
"""What the stream may hold: some hundred bytes a page, half a mebibyte a key, consumer and node; above it nothing is
claimed."""
REST_S = 1.0
"""Without a delivery for so long, completions are written by themselves, seconds."""


class Delivery(NamedTuple):
    """A delivery that waits to be judged. `page`, `stream`: where its claims are, see `page_of`; `issued_us`: when it
    was signed, microseconds since 1970."""

    page: str
    stream: bytes
    number: int
    job: Job
    issued_us: int
    then: Callable[[Claim | AgentBusError], None]


class _Kept:
    """What is known of one page: what this node has kept, what the others have, up to which revision; what came of
    that; and completions that are not written yet."""

    __slots__ = ("claims", "completed", "others", "own", "revision")

    def __init__(self) -> None:
        self.own = b""
        self.others: dict[str, Page] = {}
        self.revision = 0
        self.claims: SharedPage | None = None
        self.completed: list[tuple[bytes, int, int]] = []


class _Line:
    """What waits at one consumer: deliveries to be judged, and pages with completions to be written."""

    __slots__ = ("deliveries", "pages", "task", "wake")

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.pages: OrderedDict[str, _Kept] = OrderedDict()
        self.task: asyncio.Task[None] | None = None
        self.wake = asyncio.Event()

    def kept(self, page: str) -> _Kept:
        """What is known of a page; too many are forgotten, but those that have something to be written."""
        kept = self.pages.get(page)
        if kept is None:
            kept = self.pages[page] = _Kept()
            if len(self.pages) > CACHED:
                for name, oldest in list(self.pages.items())[:BATCH]:
                    if oldest is not kept and not oldest.completed:
                        del self.pages[name]
        self.pages.move_to_end(page)
        return kept

    def unwritten(self) -> list[str]:
        """The pages that have something to be written."""
        return [page for page, kept in self.pages.items() if kept.completed]


class Positions:
    """The claims of one realm, as one node sees them.

    Args:
        transport: the wire.
        realm: the realm's name.
        node: the node's, under which it writes.
        age_s: seconds after which what was not written again is dropped.
        writer: a name that nobody else writes under.
        replicas: copies in a cluster.
        timeout_s: seconds that a read or a write may take.
    """

    def __init__(
        self,
        transport: Transport,
        realm: str,
        *,
        node: str,
        age_s: float,
        writer: str,
        replicas: int,
        timeout_s: float = 5.0,
    ) -> None:
        self._transport = transport
        self._stream = f"agentbus_{realm}_seen"
        self._prefix = f"{realm}.seen"
        self._node = node
        self._limits = StreamLimits(max_bytes=MAX_BYTES, max_age_s=age_s, replicas=replicas)
        self._writer = writer
        self._timeout_s = timeout_s
        self._writes = 0
        self._ready = asyncio.Lock()
        self._made = False
        self._lines: dict[str, _Line] = {}
        self._closed = False

    def judge(self, consumer: str, delivery: Delivery) -> None:
        """Judges a delivery; `Delivery.then` is told, in the order of the deliveries, from the event loop."""
        line = self._lines.get(consumer)
        if line is None:
            line = self._lines[consumer] = _Line()
        line.deliveries.append(delivery)
        self._go_on(consumer, line)

    def complete(self, consumer: str, page: str, stream: bytes, number: int, place: int) -> None:
        """A claimed frame is not to be delivered any more."""
        line = self._lines[consumer]
        line.kept(page).completed.append((stream, number, place))
        if line.task is None:
            self._go_on(consumer, line)

    def close(self) -> None:
        """Ends. What waits is not told anything: it will be delivered again."""
        self._closed = True
        for line in self._lines.values():
            if line.task is not None:
                line.task.cancel()

    def _go_on(self, consumer: str, line: _Line) -> None:
        line.wake.set()
        if line.task is None and not self._closed:
            line.task = asyncio.get_running_loop().create_task(self._run(consumer, line), name=f"judge {consumer}")

    async def _run(self, consumer: str, line: _Line) -> None:
        try:
            while line.deliveries or line.unwritten():
                if line.deliveries:
                    await self._judge(consumer, line)
                    continue
                line.wake.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(REST_S):
                        await line.wake.wait()
                        continue
                for page in line.unwritten()[:BATCH]:
                    await self._commit(consumer, page, line.kept(page), [])
        finally:
            line.task = None

    async def _judge(self, consumer: str, line: _Line) -> None:
        """Judges what waits, and tells."""
        batch = line.deliveries[:BATCH]
        del line.deliveries[:BATCH]
        pages: dict[str, list[Delivery]] = {}
        for delivery in batch:
            pages.setdefault(delivery.page, []).append(delivery)
        judged = await asyncio.gather(
            *(self._commit(consumer, page, line.kept(page), part) for page, part in pages.items())
        )
        verdicts = dict(zip(pages, judged, strict=True))
        for delivery in batch:
            verdict = verdicts[delivery.page]
            delivery.then(verdict if isinstance(verdict, AgentBusError) else verdict.pop(0))

    async def _commit(
        self, consumer: str, page: str, kept: _Kept, deliveries: list[Delivery]
    ) -> list[Claim] | AgentBusError:
        """Claims what can be claimed, and returns what each delivery is; or why it can't be said."""
        try:
            await self._ensure()
            for _ in range(ATTEMPTS):
                try:
                    return await self._attempt(f"{consumer}.{page}", kept, deliveries)
                except Conflict:
                    continue  # another has written: look again
            return StorageFailed(f"{consumer}: others always wrote first")
        except AgentBusError as failure:
            return failure

    async def _attempt(self, name: str, kept: _Kept, deliveries: list[Delivery]) -> list[Claim]:
        claims, kept.claims = kept.claims, None  # until a write is acknowledged, nobody knows what is kept
        if claims is None:
            await self._read(name, kept)
            claims = SharedPage(Page.from_bytes(kept.own), kept.others.values())
        completed = kept.completed[:]
        for stream, number, place in completed:
            claims.own.complete(stream, number, place)
        found = [claims.claim(one.stream, one.number, one.job.sequence, one.issued_us) for one in deliveries]
        if claims.changed or (completed and not deliveries):
            self._writes += 1
            stored = await self._transport.store(
                f"{self._prefix}.{self._node}.{name}",
                body := claims.own.to_bytes(),
                message_id=f"seen:{self._writer}:{self._writes}",
                expected=kept.revision,
                among=f"{self._prefix}.*.{name}",
                timeout_s=self._timeout_s,
            )
            kept.own, kept.revision = body, stored.sequence
            claims.written()
            del kept.completed[: len(completed)]
        kept.claims = claims
        return found

    async def _read(self, name: str, kept: _Kept) -> None:
        """What all nodes have written of a page; where something was known, the next that one of them has. There may
        be more: then a claim is refused, and what comes after that is read."""
        pattern = f"{self._prefix}.*.{name}"
        if kept.revision:
            message = await self._transport.after(self._stream, pattern, kept.revision, timeout_s=self._timeout_s)
            if message is not None:
                self._take(message, kept)
                return
        kept.own, kept.others, kept.revision = b"", {}, 0  # what was known last may have been dropped
        newest = await self._transport.last(self._stream, pattern, timeout_s=self._timeout_s)
        while newest is not None and kept.revision < newest.sequence:
            message = await self._transport.after(self._stream, pattern, kept.revision, timeout_s=self._timeout_s)
            if message is None:
                break
            self._take(message, kept)

    def _take(self, message: StoredMessage, kept: _Kept) -> None:
        node = message.subject.removeprefix(f"{self._prefix}.").partition(".")[0]
        try:
            page = Page.from_bytes(message.body)
        except StorageFailed as error:
            raise StorageFailed(f"{message.subject}: {error}") from None
        kept.revision = message.sequence
        if node == self._node:
            kept.own = message.body
        else:
            kept.others[node] = page

    async def _ensure(self) -> None:
        if self._made:
            return
        async with self._ready:
            if not self._made:
                spec = StreamSpec(
                    name=self._stream,
                    subjects=(f"{self._prefix}.>",),
                    limits=self._limits,
                    per_subject=1,
                    refuse_when_full=True,
                )
                await self._transport.ensure_stream(spec, timeout_s=self._timeout_s)
                self._made = True


def page_of(key: bytes, epoch: int, source: str, subject: str) -> tuple[str, bytes]:
    """The page on which a stream is, a token, and its name there. The pages of two keys are never the same."""
    stream = sha256(b"\0".join((key, b"%d" % epoch, source.encode(), subject.encode()))).digest()
    return f"{sha256(key).hexdigest()[:32]}{stream[-1] % PAGES:02x}", stream[:NAME_BYTES]


class ClaimedJob:
    """A job that tells when it is settled for good. See `agentbus.transport.Job`."""

    __slots__ = ("_done", "_job")

    def __init__(self, job: Job, done: Callable[[], None]) -> None:
        self._job = job
        self._done = done

    @property
    def subject(self) -> str:
        return self._job.subject

    @property
    def body(self) -> bytes:
        return self._job.body

    @property
    def headers(self) -> Headers | None:
        return self._job.headers

    @property
    def sequence(self) -> int:
        return self._job.sequence

    @property
    def attempt(self) -> int:
        return self._job.attempt

    def ack(self) -> None:
        self._job.ack()
        self._done()

    def retry(self, delay_s: float = 0.0) -> None:
        self._job.retry(delay_s)

    def discard(self) -> None:
        self._job.discard()
        self._done()

    def progress(self) -> None:
        self._job.progress()
