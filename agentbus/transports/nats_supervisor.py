"""Keeps one link up: connects, notices the loss, connects again, for ever, and restores every subscription.

Invariants: there is at most one link, and `link` is set only once every subscription is in place on it; reconnect
attempts are spread by full jitter and never further apart than 1.5 s and an attempt; the endpoint is asked for anew
before each; after `close` its task has ended.

Reference: M. Brooker, "Exponential Backoff And Jitter" (AWS, 2015), for full jitter.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from ..errors import AgentBusError, Closed, ConfigurationError, NotConnected, Unauthorized
from ..transport import LinkState, LinkWatcher
from .nats_denials import Denials
from .nats_endpoint import Endpoint, servers
from .nats_handover import LINGER_S, ROUND_TRIP_S, Handover
from .nats_handshake import SERVER_FLOOR, TlsRefused, open_link, version_of
from .nats_interests import Interests, NatsSubscription
from .nats_link import Link
from .nats_statistics import FaultLog
from .nats_wire import Interest, View

FIRST_PAUSE_S = 0.25
"""Seconds: the first reconnect attempt comes at a random moment within it; the span doubles with each attempt."""
LONGEST_PAUSE_S = 1.5
"""Seconds: below 2, so that with an attempt's own time a link is back within 2 s of its cause's end."""
ATTEMPT_S = 2.0
"""Seconds that a reconnect attempt may take at first; half a second more each time, up to `LONGEST_ATTEMPT_S`."""
LONGEST_ATTEMPT_S = 5.0


class Supervisor:
    """The chain of links of one transport.

    Attributes:
        link: what may be sent on; None while there is none.
        leaving: the one before it, after a handover, for answers to what it brought; None when it is gone.
        handover: the latest, while `leaving` is there.
        state: where it stands.
        max_payload: bytes, as the latest server said.
        messages: received by links that are gone.
        octets: received by links that are gone, in bodies and headers.
        written: bytes written by links that are gone.
        links: how many there have been.
    """

    def __init__(
        self,
        given: Endpoint,
        *,
        name: str,
        interests: Interests,
        resolve: Callable[[], Awaitable[Endpoint]] | None,
        rng: random.Random,
        faults: FaultLog,
        log: Any,
        up: Callable[[], None],
        down: Callable[[], None],
        denials: Denials | None,
    ) -> None:
        self.link: Link | None = None
        self.leaving: Link | None = None
        self.handover: Handover | None = None
        self.state = LinkState.CONNECTING
        self.max_payload = 1 << 20
        self.messages = self.octets = self.written = self.links = 0
        self._given = given
        self._name = name
        self._interests = interests
        self._resolve = resolve
        self._rng = rng
        self._faults = faults
        self._log = log
        self._up = up
        self._down = down
        self._denials = denials
        self._refusal: Unauthorized | None = None
        self._renewing = asyncio.Lock()
        self._lingering: asyncio.Task[None] | None = None
        self._watcher: LinkWatcher | None = None
        self._context: ssl.SSLContext | None = None
        self._connected = asyncio.Event()
        self._lost = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def connect(self, timeout_s: float, watcher: LinkWatcher | None) -> None:
        """See `Transport.connect`. Tries until the time is over, unless trying again cannot help."""
        if self._closed():
            raise Closed("the transport has been closed: make a new one")
        if self._task is not None:
            raise ConfigurationError("the transport is connected already: connect once")
        self._watcher = watcher
        named = ", ".join(server.where for server in servers(self._given))
        why = f"{named} did not answer within {timeout_s:g} s: check the address, and that a nats-server runs there"
        try:
            async with asyncio.timeout(timeout_s):
                attempt = 0
                while True:
                    try:
                        link = await self._open(min(ATTEMPT_S + attempt / 2, LONGEST_ATTEMPT_S, 0.8 * timeout_s))
                        break
                    except TlsRefused:
                        raise
                    except NotConnected as error:
                        why = str(error)
                    await asyncio.sleep(self._pause(attempt))
                    attempt += 1
        except TimeoutError:
            raise NotConnected(why) from None
        if self._closed():
            link.abandon()
            raise Closed("the transport was closed while it connected")
        self._task = asyncio.get_running_loop().create_task(self._supervise(), name=f"nats-link:{self._name}")
        self._adopt(link)

    async def close(self, timeout_s: float) -> None:
        """Writes what is pending and closes the link, in `timeout_s` at most."""
        self._connected.set()
        link = self._interests.link
        try:
            await self._end_task()
            await self._end_lingering()
            if link is not None:
                await link.close(timeout_s)
        finally:
            if link is not None:
                link.abandon()
                self._retain(link)
            self._interests.link = None
            self._tell(LinkState.CLOSED, "closed")

    async def _end_task(self) -> None:
        """Cancels the supervision, and again until it has ended: on Python 3.11 `asyncio.wait_for`, with which nats-py
        connects, can swallow a cancellation."""
        for _ in range(40):
            if self._task is None or self._task.done():
                return
            self._task.cancel()
            await asyncio.wait((self._task,), timeout=0.05)
        self._faults.note("close", "resolve() swallows its cancellation: the reconnecting task goes on")

    def stop_sending(self) -> None:
        """The first step of closing: nothing more is taken."""
        self.state = LinkState.CLOSED
        self.link = None

    async def until_connected(self, deadline: float) -> None:
        """Raises `NotConnected` at `deadline` (the loop's time), and `Closed`."""
        try:
            async with asyncio.timeout_at(deadline):
                await self._connected.wait()
        except TimeoutError:
            raise self.no_link() from None
        if self.link is None:
            raise self.no_link()

    def way(self, subject: str, link: Link) -> Link:
        """The link to send by: after a handover, answers to what came by the old link go by it."""
        leaving, handover = self.leaving, self.handover
        if leaving is None or handover is None or not leaving.alive or ".in." not in subject:
            return link
        return leaving if handover.by_old(subject) else link

    def no_link(self) -> AgentBusError:
        """The error for whoever wants to send now."""
        if self._closed():
            return Closed("the transport has been closed")
        if self._task is None:
            return NotConnected("the transport is not connected: await connect() first")
        if self._denials is not None and self._refusal is not None:
            return Unauthorized(f"no link to the broker, which refuses this identity: {self._refusal}")
        return NotConnected(f"no link to the broker now, and a new one is being tried ({self._faults.last})")

    async def _supervise(self) -> None:
        """Replaces each lost link."""
        while not self._closed():
            await self._lost.wait()
            self._lost.clear()
            attempt = 0
            while self.link is None and not self._closed():
                await asyncio.sleep(self._pause(attempt))
                try:
                    link = await self._open(min(ATTEMPT_S + attempt / 2, LONGEST_ATTEMPT_S))
                except Unauthorized as error:
                    self._refusal = error
                    self._faults.note("unauthorized", str(error))
                except AgentBusError as error:
                    self._faults.note("reconnect", str(error))
                except Exception as error:
                    self._faults.note("reconnect", f"reconnecting raised {type(error).__name__}", error=error)
                else:
                    self._refusal = None
                    self._adopt(link)
                attempt += 1

    def _pause(self, attempt: int) -> float:
        """Full jitter: anything up to a bound that doubles with each attempt."""
        return self._rng.uniform(0.0, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(attempt, 10)))

    async def renew(self, timeout_s: float) -> None:
        """Connects anew, with what `resolve` says now, before the present link is left: no message is lost by it, none
        comes twice. Without a link nothing is done: the one that is being tried asks `resolve`, too.

        Raises:
            NotConnected, Unauthorized: there is no second link. The present one stays.
            Closed: meanwhile the transport was.
        """
        async with self._renewing:
            old = self.link
            if old is None:
                return
            await self._end_lingering()
            handover = Handover(self._interests.table, self.receiver_failed)
            old.reader.listen(handover.old)  # before the new link hears anything: what comes twice has to be known
            try:
                link = await self._open(timeout_s, handover, near=old.where)
                if self.link is not old or not link.alive:
                    link.abandon()
                    raise self.no_link() if self._closed() else NotConnected("the link was lost while another opened")
            except BaseException:
                old.reader.listen(self._interests.table)
                raise
            await self._change(old, link, handover)
            self._lingering = asyncio.get_running_loop().create_task(self._linger(), name=f"nats-leaving:{self._name}")

    async def _change(self, old: Link, link: Link, handover: Handover) -> None:
        """From now on the new link; the old one brings what it has first. Then, the server having taken all of it, the
        new one brings what both were sent."""
        link.hold_back()
        self._adopt(link, quietly=True)
        self._interests.link, self._interests.other = link, None
        self.leaving, self.handover = old, handover
        try:
            async with asyncio.timeout(ROUND_TRIP_S):
                old.post(self._interests.ends())
                await old.ping()
                link.let_go()
                await link.ping()
        except (NotConnected, TimeoutError) as error:
            self._faults.note("handover", f"the old link to {old.where} did not end in order: {error}")
        finally:
            link.let_go()
            handover.release()

    async def _linger(self) -> None:
        await asyncio.sleep(LINGER_S)
        self._leave()

    async def _end_lingering(self) -> None:
        task, self._lingering = self._lingering, None
        if task is not None:
            task.cancel()
            await asyncio.wait((task,))
        self._leave()

    def _leave(self) -> None:
        """The old link has answered what it could."""
        old, self.leaving, self.handover = self.leaving, None, None
        if self.link is not None:
            self.link.reader.listen(self._interests.table)
        if old is not None:
            self._retain(old)
            old.abandon()

    async def _open(self, timeout_s: float, handover: Handover | None = None, near: str = "") -> Link:
        """A link on which every subscription is in place, to whichever server takes us first; `near` is asked first,
        as only one and the same server knows what it has sent by both links."""
        view: View = self._interests.table if handover is None else handover.new
        endpoint = await self._endpoint(timeout_s)
        found = list(servers(endpoint))
        self._rng.shuffle(found)
        found.sort(key=lambda server: server.where != near)
        timeout_s = max(min(1.0, timeout_s), timeout_s / len(found))
        refusals: list[NotConnected | Unauthorized] = []
        for server in found:
            context = endpoint.tls
            if server.secure and context is None:
                context = self._context = self._context or ssl.create_default_context()
            try:
                link = await open_link(
                    server, endpoint, view, self, name=self._name, context=context, timeout_s=timeout_s
                )
                await self._restore(link, timeout_s, handover)
                return link
            except (NotConnected, Unauthorized) as error:
                refusals.append(error)
        # What a retry does not help with is told first, but only if it is all that there is.
        refusals.sort(key=lambda error: error.retryable, reverse=True)
        raise refusals[0]

    async def _endpoint(self, timeout_s: float) -> Endpoint:
        if self._resolve is None:
            return self._given
        try:
            async with asyncio.timeout(timeout_s):
                return await self._resolve()
        except TimeoutError:
            raise NotConnected(f"resolve() did not return an endpoint within {timeout_s:g} s") from None

    async def _restore(self, link: Link, timeout_s: float, handover: Handover | None) -> None:
        """Subscribes to everything on a new link, and waits until the server has seen it. In a handover the present
        link stays what changes are written to first."""
        if handover is None:
            self._interests.link = link
        else:
            self._interests.other = link
            handover.begin()
        try:
            link.post(self._interests.lines())
            async with asyncio.timeout(timeout_s):
                await link.ping()
        except BaseException as error:
            if handover is None:
                self._interests.link = None
            else:
                self._interests.other = None
            link.abandon()
            if isinstance(error, TimeoutError):
                raise NotConnected(f"{link.where} did not take the subscriptions within {timeout_s:g} s") from None
            raise

    def _adopt(self, link: Link, *, quietly: bool = False) -> None:
        """From now on this is the link. `quietly`: in place of one that is up, so that nothing has to begin anew."""
        if self._closed():
            link.abandon()
            return
        if not link.alive:
            self._lost.set()
            return
        self.link = link
        self.links += 1
        self.state = LinkState.CONNECTED
        self.max_payload = int(link.info.get("max_payload", self.max_payload))
        version = str(link.info.get("version", ""))
        if version_of(version) < SERVER_FLOOR:
            self._log.warning("nats_server_too_old", version=version, needed="2.14", where=link.where)
        self._log.info("nats_connected", where=link.where, version=version, reconnects=self.links - 1)
        self._connected.set()
        if quietly:
            return
        self._up()
        self._tell(LinkState.CONNECTED, f"connected to {link.where}")

    def _closed(self) -> bool:
        return self.state is LinkState.CLOSED

    def _tell(self, state: LinkState, reason: str) -> None:
        if self._watcher is not None:
            try:
                self._watcher(state, reason)
            except Exception as error:
                self._faults.note("watcher", f"the link's watcher raised {type(error).__name__}", error=error)

    def _retain(self, link: Link) -> None:
        self.messages += link.reader.messages
        self.octets += link.reader.octets
        self.written += link.written

    # Owner of the link

    def link_lost(self, link: Link, reason: str) -> None:
        """`Owner.link_lost`."""
        if link is self.leaving:
            return  # it ends by itself, or its time is over: retained when it has
        self._retain(link)
        if self._interests.link is link:
            self._interests.link = None
        if self._interests.other is link:
            self._interests.other = None
        if self.link is not link:
            return
        self.link = None
        self.state = LinkState.RECONNECTING
        self._connected.clear()
        self._faults.note("link_lost", f"the link to {link.where} was lost: {reason}")
        self._lost.set()
        self._down()
        self._tell(LinkState.RECONNECTING, reason)

    def server_error(self, text: str) -> None:
        """`Owner.server_error`."""
        denied = text.lower().startswith("permissions violation")
        self._faults.note("permission" if denied else "server", f"the server says: {text}")
        if denied and self._denials is not None:
            self._denials.said(text)

    def receiver_failed(self, interest: Interest, error: Exception) -> None:
        """`Owner.receiver_failed`."""
        subject = interest.subject if isinstance(interest, NatsSubscription) else ""
        self._faults.note("receiver", f"a receiver of {subject!r} raised {type(error).__name__}: {error}", error=error)
