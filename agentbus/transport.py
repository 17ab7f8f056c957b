"""What a wire must promise.

A `Transport` is one connection to a broker, live or in memory. It carries bytes between subjects and knows nothing of
frames, messages or agents. `agentbus.testing.check_transport` holds any implementation to what is written here.

Promises:

* **Live messages are at most once** and in order per (sender, subject): nothing is buffered while there is no link,
  nothing is sent again, `send` fails at once with `NotConnected`.
* **A receiver is called from the event loop**, synchronously, one message at a time, and must return quickly; an
  exception from it is logged and counted, and harms neither the link nor other receivers.
* **Subscriptions outlive the link**: after a reconnect they are there again, before `connected` is true.
* **Nobody listening is told**: a `send` with a `reply` to a subject without subscribers is answered on `reply` by an
  empty body with the header ``Status: 503``, as NATS does.
* **A queue group** gets each message once, whoever of its members gets it.
* **A stored message** (`store`) survives until the stream's limits drop it; a consumer delivers it at least once,
  again and again until it is acknowledged or discarded.
* **Compare and set** (`expected`): of any number of writers that expect the same last sequence of a subject, one is
  stored and the others get `Conflict`. A lost acknowledgement never turns a success into a `Conflict`.
* **A batch** (`store_all`) is stored whole, with adjacent sequences, or not at all.
* **Reads** (`last`, `after`, `subjects`) are answered by the stream's leader: they see every write that was
  acknowledged before they were asked. Only compare and set makes a decision on a read safe.
* **A follower** (`follow`) is told every message that the stream keeps, in order, each once, across reconnects.
* **Every wait has a deadline.**
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import Enum
from typing import NamedTuple, Protocol

from .errors import AgentBusError
from .limits import Watcher
from .stored import (
    MAX_BATCH,
    ConsumerSpec,
    Headers,
    Stored,
    StoredMessage,
    StreamLimits,
    StreamSpec,
    Write,
)

__all__ = [
    "MAX_BATCH",
    "NO_RESPONDERS",
    "ConsumerSpec",
    "Consumption",
    "Denial",
    "Headers",
    "FrameGuard",
    "Job",
    "LinkState",
    "LinkWatcher",
    "Opened",
    "Receiver",
    "Stored",
    "StoredMessage",
    "StreamLimits",
    "StreamSpec",
    "Subscription",
    "Transport",
    "Write",
]

Receiver = Callable[[str, bytes, str, Headers | None], None]
"""Called with subject, body, reply subject (empty for none) and headers (None for none)."""

NO_RESPONDERS: Headers = {"Status": "503"}


class Denial(dict[str, str]):
    """The headers of an answer that a transport gives by itself, for what its broker refused to take: an error in the
    headers of foreign agents. Nobody else can make one, so it needs no signature."""


class LinkState(Enum):
    """Where a transport stands."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    CLOSED = "closed"


LinkWatcher = Callable[[LinkState, str], None]
"""Told of each change of state, with the reason; must not raise."""


class Subscription(Protocol):
    """Interest in a subject."""

    def unsubscribe(self) -> None:
        """Ends the interest. No receiver call follows. A second call does nothing."""
        ...

    def drain(self) -> None:
        """Ends the interest at the broker only: what the broker had sent by then is still received. After the next
        `flush` no receiver call follows. A second call does nothing."""
        ...


class Job(Protocol):
    """One delivery of a stored message, to be settled once: by `ack`, `retry` or `discard`.

    Settling is at most once on the wire: a settlement that is lost, made while there is no link, or not written yet
    by a broker that dies, leads to a further delivery, never to a loss. Settling a second time does nothing.
    """

    @property
    def subject(self) -> str: ...
    @property
    def body(self) -> bytes: ...
    @property
    def headers(self) -> Headers | None: ...
    @property
    def sequence(self) -> int:
        """The message's number in its stream."""
        ...

    @property
    def attempt(self) -> int:
        """1 for the first delivery."""
        ...

    def ack(self) -> None:
        """Done: never deliver it again."""
        ...

    def retry(self, delay_s: float = 0.0) -> None:
        """Not done: deliver it again, not before `delay_s` seconds."""
        ...

    def discard(self) -> None:
        """Given up: never deliver it again."""
        ...

    def progress(self) -> None:
        """Still at it: start `ack_wait_s` anew."""
        ...


class Consumption(Protocol):
    """A running consumer."""

    def stop(self) -> None:
        """Stops pulling. No receiver call follows; jobs that were delivered can still be settled."""
        ...


class Transport(Protocol):
    """One connection to a broker: at most once, ordered per (sender, subject) when live; at least once when stored."""

    @property
    def url(self) -> str:
        """Where it leads, without credentials."""
        ...

    @property
    def connected(self) -> bool:
        """Whether `send` would be accepted now."""
        ...

    @property
    def congested(self) -> bool:
        """Whether more is waiting to be written than should be: await `writable` before sending more."""
        ...

    @property
    def max_payload(self) -> int:
        """Bytes: the largest body plus headers that the broker takes."""
        ...

    async def connect(self, *, timeout_s: float = 5.0, watcher: LinkWatcher | None = None) -> None:
        """Connects. From then on the link is kept up until `close`.

        Raises:
            NotConnected: no broker answered in time. The text names the address and the remedy.
            Unauthorized: the broker refused the credentials.
            ServerFailed: an embedded server could not be started.
        """
        ...

    def send(self, subject: str, body: bytes, reply: str = "", headers: Headers | None = None) -> None:
        """Hands one live message to the wire; returns at once.

        Raises:
            NotConnected: no link now.
            PayloadTooLarge: body plus headers exceed `max_payload`; the link is untouched.
            Closed: after `close`.
        """
        ...

    def hold(self) -> None:
        """Several messages will be sent before this turn of the event loop ends: they may go with one write then."""
        ...

    async def writable(self, *, timeout_s: float = 5.0) -> None:
        """Waits until `congested` is false. Raises `NotConnected` when the link is lost or the time is over."""
        ...

    def subscribe(self, subject: str, receiver: Receiver, queue: str = "") -> Subscription:
        """Listens on a subject or pattern, as a member of a queue group if one is named.

        Can be called while there is no link. Raises `SubjectError` and, after `close`, `Closed`.
        """
        ...

    async def flush(self, *, timeout_s: float = 5.0) -> None:
        """Returns when the broker has seen everything sent and subscribed before, and all it had delivered to this
        connection by then has been received. Raises `NotConnected`."""
        ...

    async def ensure_stream(self, spec: StreamSpec, *, timeout_s: float = 5.0) -> None:
        """Makes the stream, or changes its limits where they differ. Raises `StorageFailed`, `NotConnected`."""
        ...

    async def store(
        self,
        subject: str,
        body: bytes,
        *,
        message_id: str,
        headers: Headers | None = None,
        expected: int | None = None,
        among: str = "",
        ttl_s: float | None = None,
        timeout_s: float = 5.0,
    ) -> Stored:
        """Publishes to a stream; returns when the stream has acknowledged it. Tries again, with the same
        `message_id`, until the time is over, also across a reconnect.

        Args:
            subject: where to.
            body: bytes.
            message_id: a second message of this id is not stored again (`StreamLimits.duplicate_window_s`).
            headers: names that begin with ``Nats-`` belong to the broker.
            expected: the sequence of the subject's last message, 0 if it has none: stored only if that is so. None:
                stored in any case.
            among: a pattern; `expected` is then of the newest message that it matches, in place of the subject's: so
                writers of different subjects are held apart.
            ttl_s: whole seconds, at least 1, after which the stream drops it; needs `StreamSpec.message_ttl`.
            timeout_s: seconds; losing a stream's leader takes up to 10.

        Raises:
            Conflict: the subject's last message has another sequence than `expected`; nothing was stored.
            StorageFailed: refused, or not acknowledged in time.
            ConfigurationError: a `ttl_s` that is not whole, or `among` without `expected`.
            PayloadTooLarge: as `send`.
            Closed: after `close`.
        """
        ...

    async def store_all(
        self, writes: Sequence[Write], *, message_id: str, timeout_s: float = 5.0
    ) -> tuple[Stored, ...]:
        """Stores a batch in one stream (of `StreamSpec.batches`), whole or not at all. Tries again as `store` does.

        Args:
            writes: 1 to `MAX_BATCH`, each subject at most once.
            message_id: the batch's id; two batches of one id are one.
            timeout_s: seconds.

        Returns:
            An acknowledgement for each of `writes`, with adjacent sequences.

        Raises:
            Conflict: one of the `expected` is not so; nothing was stored.
            StorageFailed: refused (nothing was stored), or not acknowledged in time (all of it, or nothing, may be).
            PayloadTooLarge: one of them is.
            ConfigurationError: no writes, too many, or a subject twice.
            Closed: after `close`.
        """
        ...

    async def last(self, stream: str, subject: str, *, timeout_s: float = 5.0) -> StoredMessage | None:
        """The newest message whose subject the pattern `subject` matches, or None. Tries again until the time is over.

        Raises `StorageFailed` (no such stream, or no answer in time) and `Closed`, as `after`, `subjects` and `purge`.
        """
        ...

    async def after(self, stream: str, subject: str, sequence: int, *, timeout_s: float = 5.0) -> StoredMessage | None:
        """The oldest message with a sequence above `sequence` whose subject the pattern matches, or None."""
        ...

    async def subjects(self, stream: str, pattern: str, *, timeout_s: float = 5.0) -> Mapping[str, int]:
        """How many messages the stream keeps of each subject that the pattern matches, in the subjects' order."""
        ...

    async def purge(self, stream: str, subject: str, *, before: int | None = None, timeout_s: float = 5.0) -> int:
        """Drops the messages whose subject the pattern matches, with sequences below `before` if given; returns how
        many. What is dropped does not count for `expected` any more. Whether a purge that fails was done is not known;
        to do it again is safe."""
        ...

    async def follow(
        self,
        stream: str,
        filters: Sequence[str],
        receiver: Callable[[StoredMessage], None],
        *,
        after: int | None = None,
        timeout_s: float = 5.0,
    ) -> Consumption:
        """Tells `receiver` of what the stream keeps and what will be stored, in order, each message once; goes on
        across reconnects, without a gap and without a repeat. Nothing is acknowledged: where one stands is one's own.

        Args:
            stream: the stream's name.
            filters: patterns of subjects, none of which may overlap another.
            receiver: called from the event loop; must return quickly.
            after: begin with the first sequence above this. None: begin with the newest message of each subject; if
                the link is lost before all of these have come, older ones that are kept may come too.
            timeout_s: seconds.

        Raises:
            StorageFailed: no such stream, or no answer in time.
            Closed: after `close`.
        """
        ...

    async def consume(
        self, spec: ConsumerSpec, receiver: Callable[[Job], None], *, timeout_s: float = 5.0
    ) -> Consumption:
        """Begins to consume; makes the consumer if it is not there. Goes on across reconnects.

        Raises:
            StorageFailed: no such stream, or a consumer of this name has other filters.
            NotConnected: no link within the time.
        """
        ...

    async def close(self, *, timeout_s: float = 1.0) -> None:
        """Writes what is pending, within `timeout_s`, and closes; never raises. A second call does nothing."""
        ...


def _as_nobody_else(name: str) -> bool:
    return False


class Opened(NamedTuple):
    """What a guard knows of a frame that it let in.

    Attributes:
        source, epoch: who has signed it, and in which life of its node.
        number: its number among the frames of this sender, epoch and subject, from 1.
        skipped: live frames just before it that had not come when it did.
        late: whether a later live one had come before.
        key: the public key that signed it.
        speaks_as: whether who signed it may speak in a name: a frame of answers may hold those of several agents.
        issued_us: when it was signed, microseconds since 1970, as its sender says.
    """

    source: str
    epoch: int
    number: int
    skipped: int = 0
    late: bool = False
    key: bytes = b""
    speaks_as: Callable[[str], bool] = _as_nobody_else
    issued_us: int = 0


class FrameGuard(Protocol):
    """What protects frames on the wire: signs, encrypts, or both. Implemented by an identity.

    Attributes:
        watcher: says whom to refuse unread, and is told of what senders do; set by the node.
    """

    watcher: Watcher | None

    @property
    def overhead(self) -> int:
        """Bytes that sealing adds to a frame at most."""
        ...

    def begin(self, transport: Transport, *, realm: str, node: str, clock_us: Callable[[], int]) -> None:
        """A node begins to hear. Raises `ConfigurationError` when the guard is not for it."""
        ...

    def end(self) -> None:
        """The node has ended."""
        ...

    def vouch(self, name: str) -> None:
        """Raises `Unauthorized` when the node may not speak in that name now."""
        ...

    def seal(self, body: bytes, *, subject: str, reply: str, source: str, epoch: int, durable: bool) -> bytes:
        """The bytes to send in place of `body`. Raises `Unauthorized` as `vouch`."""
        ...

    def open(self, sealed: bytes, *, subject: str, reply: str, ear: str, durable: bool) -> tuple[bytes, Opened]:
        """The `body` that was sealed for `subject`, and who has sealed it. Raises `Unauthorized` when it can't be
        trusted.

        Args:
            ear: who hears it: one frame may come to a node once for each.
            durable: whether it comes from the log; then whether it is new is judged by `claim`.
        """
        ...

    def claim(self, consumer: str, opened: Opened, job: Job, then: Callable[[Job, AgentBusError | None], None]) -> None:
        """Judges whether a durable frame is new to a consumer, or delivered again. `then` is told, later, in the order
        of the calls: the job to be worked on; or what is wrong, `Unauthorized` for what must never be handled."""
        ...


TransportFactory = Callable[[], Awaitable[Transport]]
"""Makes one more connection, already connected, to one broker that all of them share."""
