"""The transport over NATS: live messages by core NATS, durable ones by JetStream.

A link is one connection and is replaced, never repaired; what outlives links is here. `nats_supervisor` keeps one up,
`nats_handshake` opens it with nats-py, `nats_link` reads, writes and watches it, `nats_wire` spells the protocol,
`nats_interests` holds the subscriptions; the durable messages are the work of `nats_jetstream`, whose API the others
call, `nats_storing`, `nats_reading`, `nats_consumer` and `nats_follower`.

Invariants: nothing is buffered while there is no link; every subscription is in place again before `connected` is
true; nothing gives up before `close`; after `close` no task, timer or socket is left.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from ..errors import Closed, NotConnected, StorageFailed, Unauthorized
from ..subjects import check_name, check_subject
from ..transport import (
    ConsumerSpec,
    Consumption,
    Headers,
    Job,
    LinkState,
    LinkWatcher,
    Receiver,
    Stored,
    StoredMessage,
    StreamSpec,
    Subscription,
    Write,
)
from .nats_consumer import NatsConsumption
from .nats_denials import Denials
from .nats_endpoint import Endpoint, servers
from .nats_follower import NatsFollowing
from .nats_interests import Interests, NatsSubscription
from .nats_jetstream import JetStream
from .nats_link import too_large
from .nats_reading import Reading
from .nats_statistics import FaultLog, NatsStatistics
from .nats_storing import Storing
from .nats_supervisor import Supervisor
from .nats_wire import Interest, checked_subject, encode_headers
from .stored import stamped

__all__ = ["Endpoint", "NatsStatistics", "NatsTransport"]

_HEADS = 8192
"""Subjects whose check is remembered; when there are more, all are forgotten."""


class NatsTransport:
    """`agentbus.transport.Transport` over NATS.

    Args:
        url: see `Endpoint`, also for the credentials and for TLS.
        name: of this connection: what the server's monitoring shows, and a token of the inbox.
        resolve: asked for the endpoint before every attempt to connect, so that rotated credentials and a server that
            has moved are found. By default what was given here.
        inbox_prefix: what this connection's own subjects begin with; a random token follows. The user needs the
            permission to subscribe to ``{inbox_prefix}.>``. Default ``_INBOX.{name}``.
        restricted: the broker lets this connection do what its role allows only. What it refuses is told to who waits
            (`Unauthorized`).
        makes_streams: false: `ensure_stream` does nothing, as others make the streams; nor is a follower's consumer
            deleted, which the server forgets by itself.
        rng: for jitter only.

    Raises:
        ConfigurationError: the URL, the name or the prefix is not one.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str = "agentbus",
        user: str = "",
        password: str = "",
        token: str = "",
        creds_file: str = "",
        nkey_seed: str = "",
        tls: ssl.SSLContext | None = None,
        tls_first: bool = False,
        tls_hostname: str = "",
        inbox_prefix: str = "",
        resolve: Callable[[], Awaitable[Endpoint]] | None = None,
        restricted: bool = False,
        makes_streams: bool = True,
        rng: random.Random | None = None,
    ) -> None:
        given = Endpoint(
            url=url,
            user=user,
            password=password,
            token=token,
            creds_file=creds_file,
            nkey_seed=nkey_seed,
            tls=tls,
            tls_first=tls_first,
            tls_hostname=tls_hostname,
        )
        self._url = ",".join(server.url for server in servers(given))
        prefix = check_subject(inbox_prefix or f"_INBOX.{check_name(name, 'connection name')}", what="inbox prefix")
        self.inbox = f"{prefix}.{secrets.token_hex(8)}"
        self._rng = rng or random.Random()
        log = structlog.stdlib.get_logger("agentbus.nats").bind(connection=name)
        self._faults = FaultLog(log)
        self._interests = Interests()
        self._heads: dict[str, bytes] = {}
        self._denials = Denials(self._interests, self._receiver_failed)
        self._restricted = restricted
        self.makes_streams = makes_streams
        self._sent = 0
        self._dropped = 0
        self._consumptions: dict[NatsConsumption | NatsFollowing, None] = {}
        self._consumers = 0
        self._links = Supervisor(
            given,
            name=name,
            interests=self._interests,
            resolve=resolve,
            rng=self._rng,
            faults=self._faults,
            log=log,
            up=self._link_up,
            down=self._link_down,
            denials=self._denials if restricted else None,
        )
        self._stream = JetStream(self)
        self._storing = Storing(self._stream)
        self._reading = Reading(self._stream)

    # what it is

    @property
    def url(self) -> str:
        """See `Transport.url`."""
        return self._url

    @property
    def state(self) -> LinkState:
        """Where the link stands."""
        return self._links.state

    @property
    def connected(self) -> bool:
        """See `Transport.connected`."""
        return self._links.link is not None

    @property
    def refusal(self) -> Unauthorized | None:
        """Why there is no link, where the broker refuses this identity; None otherwise."""
        error = None if self.connected else self._links.no_link()
        return error if isinstance(error, Unauthorized) else None

    @property
    def congested(self) -> bool:
        """See `Transport.congested`."""
        link = self._links.link
        return link is not None and link.congested

    @property
    def max_payload(self) -> int:
        """See `Transport.max_payload`. Before the first link: NATS's default of 1 MiB."""
        return self._links.max_payload

    def statistics(self) -> NatsStatistics:
        """What has happened so far."""
        links, link = self._links, self._links.link
        return NatsStatistics(
            sent=self._sent,
            received=links.messages + (link.reader.messages if link else 0),
            bytes_sent=links.written + (link.written if link else 0),
            bytes_received=links.octets + (link.reader.octets if link else 0),
            reconnects=max(0, links.links - 1),
            dropped_settlements=self._dropped,
            receiver_errors=self._faults.counts.get("receiver", 0),
            errors=dict(self._faults.counts),
            last_error=self._faults.last,
            rtt_s=link.rtt_s if link else 0.0,
        )

    # the link

    async def connect(self, *, timeout_s: float = 5.0, watcher: LinkWatcher | None = None) -> None:
        """See `Transport.connect`. Tries until the time is over, unless trying again cannot help."""
        await self._links.connect(timeout_s, watcher)

    async def until_connected(self, deadline: float) -> None:
        """Returns when there is a link. Raises `NotConnected` at `deadline` (the loop's time), and `Closed`."""
        await self._links.until_connected(deadline)

    async def renew(self, *, timeout_s: float = 5.0) -> None:
        """Takes the credentials that `resolve` gives now: connects anew before the present link is left. No message is
        lost by it, and none comes twice; an answer that takes longer than 10 s more may be.

        Raises:
            NotConnected, Unauthorized: there is no second link. The present one stays as it is.
        """
        await self._links.renew(timeout_s)

    async def close(self, *, timeout_s: float = 1.0) -> None:
        """See `Transport.close`."""
        if self._links.state is LinkState.CLOSED:
            return
        self._links.stop_sending()
        consumptions = list(self._consumptions)
        for consumption in consumptions:
            consumption.stop()
        self._interests.close()
        self._stream.inbox.close()
        try:
            for consumption in consumptions:
                await consumption.finish()
        finally:
            await self._links.close(timeout_s)
            self._interests.table.clear()

    def _link_up(self) -> None:
        for consumption in list(self._consumptions):
            consumption.resume()

    def _link_down(self) -> None:
        self._stream.inbox.lose()

    # live messages

    def send(self, subject: str, body: bytes, reply: str = "", headers: Headers | None = None) -> None:
        """See `Transport.send`. Raises `SubjectError` and, for headers, `ConfigurationError` as well."""
        link = self._links.link
        if link is None:
            raise self._links.no_link()
        if link.congested:
            link.check_room()
        if self._restricted:
            if reply:
                self._denials.asked(subject, reply)
            link = self._links.way(subject, link)
        head = self._heads.get(subject) or self._head(subject)
        size = len(body)
        answer = b"%b " % checked_subject(reply) if reply else b""
        limit = self._links.max_payload
        if headers:
            block = encode_headers(headers)
            size += len(block)
            if size > limit:
                raise too_large(size, limit, subject)
            link.post(b"H%b%b%d %d\r\n%b%b\r\n" % (head, answer, len(block), size, block, body))
        else:
            if size > limit:
                raise too_large(size, limit, subject)
            link.post(b"%b%b%d\r\n%b\r\n" % (head, answer, size, body))
        self._sent += 1

    def hold(self) -> None:
        """See `Transport.hold`."""
        link = self._links.link
        if link is not None:
            link.hold()

    async def writable(self, *, timeout_s: float = 5.0) -> None:
        """See `Transport.writable`."""
        link = self._links.link
        if link is None:
            raise self._links.no_link()
        await link.writable(timeout_s)

    async def flush(self, *, timeout_s: float = 5.0) -> None:
        """See `Transport.flush`."""
        link = self._links.link
        if link is None:
            raise self._links.no_link()
        try:
            async with asyncio.timeout(timeout_s):
                await link.ping()
        except TimeoutError:
            raise NotConnected(f"{link.where} did not answer within {timeout_s:g} s: is it overloaded?") from None
        if self._restricted:
            self._denials.check()

    def subscribe(self, subject: str, receiver: Receiver, queue: str = "") -> Subscription:
        """See `Transport.subscribe`."""
        if self._links.state is LinkState.CLOSED:
            raise Closed("the transport has been closed")
        return self._interests.add(subject, receiver, queue)

    def retire(self, subscription: Subscription, refuse: Receiver) -> None:
        """Unsubscribes; messages that were under way by then go to `refuse`."""
        assert isinstance(subscription, NatsSubscription)
        self._interests.retire(subscription.number, refuse)

    # durable messages

    async def ensure_stream(self, spec: StreamSpec, *, timeout_s: float = 5.0) -> None:
        """See `Transport.ensure_stream`. Nothing where others make the streams."""
        if not self.makes_streams:
            return
        await self._stream.ensure_stream(spec, timeout_s)

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
        """See `Transport.store`."""
        marks = stamped(message_id, headers, expected, among, ttl_s)
        return await self._storing.store(subject, body, marks, timeout_s)

    async def store_all(
        self, writes: Sequence[Write], *, message_id: str, timeout_s: float = 5.0
    ) -> tuple[Stored, ...]:
        """See `Transport.store_all`."""
        return await self._storing.store_all(writes, message_id, timeout_s)

    async def last(self, stream: str, subject: str, *, timeout_s: float = 5.0) -> StoredMessage | None:
        """See `Transport.last`."""
        return await self._reading.last(stream, subject, timeout_s)

    async def after(self, stream: str, subject: str, sequence: int, *, timeout_s: float = 5.0) -> StoredMessage | None:
        """See `Transport.after`."""
        return await self._reading.after(stream, subject, sequence, timeout_s)

    async def subjects(self, stream: str, pattern: str, *, timeout_s: float = 5.0) -> Mapping[str, int]:
        """See `Transport.subjects`."""
        return await self._reading.subjects(stream, pattern, timeout_s)

    async def purge(self, stream: str, subject: str, *, before: int | None = None, timeout_s: float = 5.0) -> int:
        """See `Transport.purge`."""
        return await self._reading.purge(stream, subject, before, timeout_s)

    async def follow(
        self,
        stream: str,
        filters: Sequence[str],
        receiver: Callable[[StoredMessage], None],
        *,
        after: int | None = None,
        timeout_s: float = 5.0,
    ) -> Consumption:
        """See `Transport.follow`."""
        self._consumers += 1
        following = NatsFollowing(
            self._stream,
            stream,
            tuple(filters),
            receiver,
            after,
            number=self._consumers,
            rng=self._rng,
            ended=lambda ended: self._consumptions.pop(ended, None),
        )
        self._consumptions[following] = None
        try:
            await following.begin(asyncio.get_running_loop().time() + timeout_s)
        except NotConnected as error:
            following.stop()
            raise StorageFailed(f"stream {stream!r} could not be followed in {timeout_s:g} s: {error}") from None
        except BaseException:
            following.stop()
            raise
        return following

    async def consume(
        self, spec: ConsumerSpec, receiver: Callable[[Job], None], *, timeout_s: float = 5.0
    ) -> Consumption:
        """See `Transport.consume`."""
        self._consumers += 1
        consumption = NatsConsumption(
            self._stream,
            spec,
            receiver,
            number=self._consumers,
            rng=self._rng,
            ended=lambda ended: self._consumptions.pop(ended, None),
        )
        self._consumptions[consumption] = None
        try:
            await consumption.ensure(asyncio.get_running_loop().time() + timeout_s)
        except BaseException:
            consumption.stop()
            raise
        consumption.begin()
        return consumption

    def settle(self, subject: str, word: bytes) -> None:
        """Sends a job's settlement to the subject that came with it; counts it as dropped when there is no link."""
        link = self._interests.link
        if link is None or not link.alive:
            self._dropped += 1
            return
        link.post(b"PUB %b %d\r\n%b\r\n" % (subject.encode(), len(word), word))
        self._sent += 1

    def note(self, kind: str, text: str, *, error: BaseException | None = None) -> None:
        """Counts and logs a fault."""
        self._faults.note(kind, text, error=error)

    def _receiver_failed(self, interest: Interest, error: Exception) -> None:
        self._links.receiver_failed(interest, error)

    def _head(self, subject: str) -> bytes:
        """``PUB subject`` and a blank, checked once and remembered."""
        head = b"PUB %b " % checked_subject(subject)
        if len(self._heads) >= _HEADS:
            self._heads.clear()
        self._heads[subject] = head
        return head
