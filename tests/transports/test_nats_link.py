"""One link after the other: what nats-py lets happen to a connection, and what the transport makes of it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
import tracemalloc
from collections.abc import Callable

import pytest
import structlog

from agentbus.errors import Closed, ConfigurationError, NotConnected, PayloadTooLarge, SubjectError
from agentbus.transport import Headers, LinkState
from agentbus.transports.nats import Endpoint, NatsTransport
from agentbus.transports.nats_handshake import check_client
from agentbus.transports.nats_link import HIGH_WATER, WRITE_LIMIT
from tests.nats_server import NatsServer, free_port

from .conftest import Connect
from .nats_world import FakeBroker, Heard, Watched, until

BACK_S = 2.0
"""Seconds within which a link is back when the cause of its loss has ended."""


async def break_reader(transport: NatsTransport) -> None:
    """Makes the reading of the present link raise, as an exception in a callback of nats-py's read loop would."""

    def fails(data: bytes) -> None:
        raise RuntimeError("a bug in the reader")

    link = transport._links.link
    assert link is not None
    link.reader = type("Broken", (), {"feed": staticmethod(fails), "messages": 0, "octets": 0})()  # type: ignore[assignment]


async def test_row_read_loop_killed(nats_server: NatsServer, connect: Connect) -> None:
    """nats-py: an exception in a callback kills the read loop, and is_connected stays true."""

    def watcher(state: LinkState, reason: str) -> None:
        told.append(state)
        raise RuntimeError("a watcher that fails")

    told: list[LinkState] = []
    heard = Heard()
    transport = await connect(nats_server.url, watcher=watcher)
    transport.subscribe("a", heard)
    await transport.flush()
    await break_reader(transport)
    transport.send("a", b"lost")
    await until(lambda: not transport.connected, "the loss is noticed", within_s=BACK_S)
    assert await until(lambda: transport.connected, "a new link", within_s=BACK_S) < BACK_S
    transport.send("a", b"heard")
    await transport.flush()
    assert heard.bodies == [b"heard"]
    assert told == [LinkState.CONNECTED, LinkState.RECONNECTING, LinkState.CONNECTED]
    assert transport.statistics().errors["watcher"] == 3
    assert transport.statistics().reconnects == 1


async def test_row_any_err_closes_for_good(nats_server: NatsServer, connect: Connect) -> None:
    """nats-py: any -ERR but two closes the client for good."""
    heard = Heard()
    transport = await connect(nats_server.url)
    transport.subscribe("a", heard)
    await transport.flush()
    link = transport._links.link
    assert link is not None
    link.post(b"NONSENSE\r\n")
    await until(lambda: not transport.connected, "the server closes")
    assert await until(lambda: transport.connected, "back", within_s=BACK_S) < BACK_S
    transport.send("a", b"x")
    await transport.flush()
    assert heard.bodies == [b"x"]
    statistics = transport.statistics()
    assert statistics.errors["server"] == 1
    assert statistics.errors["link_lost"] == 1
    assert "Unknown Protocol Operation" in statistics.last_error


async def test_row_rotated_credentials(nats_servers: Callable[..., NatsServer]) -> None:
    """nats-py: an authorization error closes the client for good, with credentials rotated (#193, #999, #1019)."""
    server = nats_servers(extra="authorization { user: node, password: old-secret }").start()
    password = ["old-secret"]

    async def resolve() -> Endpoint:
        if password[0] == "broken":
            raise OSError("the vault is sealed")
        return Endpoint(url=server.url, user="node", password=password[0])

    heard, watched = Heard(), Watched()
    transport = NatsTransport(server.url, resolve=resolve, rng=random.Random(1))
    await transport.connect(watcher=watched)
    try:
        transport.subscribe("a", heard)
        server.extra = "authorization { user: node, password: new-secret }"
        await asyncio.to_thread(server.restart)
        await until(lambda: transport.statistics().errors.get("unauthorized", 0) >= 2, "refused, and goes on trying")
        assert transport.state is LinkState.RECONNECTING
        assert "refused the credentials" in transport.statistics().last_error
        assert "secret" not in transport.statistics().last_error
        password[0] = "broken"
        await until(lambda: "OSError" in transport.statistics().last_error, "a resolve that raises ends nothing")
        password[0] = "new-secret"
        assert await until(lambda: transport.connected, "back", within_s=BACK_S) < BACK_S
        transport.send("a", b"x")
        await transport.flush()
        assert heard.bodies == [b"x"]
        assert [state for state, _, _ in watched.told] == [
            LinkState.CONNECTED,
            LinkState.RECONNECTING,
            LinkState.CONNECTED,
        ]
    finally:
        await transport.close()


async def test_row_headers_over_the_limit(nats_servers: Callable[..., NatsServer], connect: Connect) -> None:
    """nats-py: a payload that fits max_payload, but not with its headers, makes the server close the connection."""
    server = nats_servers(extra="max_payload: 4096").start()
    heard = Heard()
    transport = await connect(server.url)
    assert transport.max_payload == 4096
    transport.subscribe("a", heard)
    headers = {"K": "v"}
    block = len(b"NATS/1.0\r\nK: v\r\n\r\n")
    with pytest.raises(PayloadTooLarge, match="4097 bytes, headers included"):
        transport.send("a", b"x" * (4097 - block), "", headers)
    with pytest.raises(PayloadTooLarge):
        await transport.store("a", b"x" * 4090, message_id="m")
    transport.send("a", b"x" * (4096 - block), "", headers)
    await transport.flush()
    assert len(heard.bodies) == 1
    assert transport.statistics().reconnects == 0
    assert transport.statistics().errors == {}


async def test_row_reconnects_are_spread_and_never_given_up(
    nats_server: NatsServer,
) -> None:
    """nats-py: reconnects at once, then each 2 s, no jitter, gives up after 60."""
    watched = [Watched() for _ in range(128)]
    transports = [NatsTransport(nats_server.url, name=f"n{number}") for number in range(128)]
    try:
        for transport, watcher in zip(transports, watched, strict=True):
            await transport.connect(watcher=watcher)
        nats_server.kill()
        await until(lambda: not any(transport.connected for transport in transports), "all notice")
        assert {transport.state for transport in transports} == {LinkState.RECONNECTING}
        failed = [transport._faults.counts for transport in transports]
        await until(lambda: all(counts.get("reconnect", 0) >= 2 for counts in failed), "each has tried twice")
        await asyncio.to_thread(nats_server.start)
        back = await until(lambda: all(transport.connected for transport in transports), "all are back", within_s=4.0)
        assert back < BACK_S + 1.0, f"128 links in one process were back after {back:.2f} s"
        times = sorted(watcher.last(LinkState.CONNECTED) for watcher in watched)
        assert times[-1] - times[0] > 0.3, "128 links came back all at once"
        assert all(watcher.count(LinkState.RECONNECTING) == 1 for watcher in watched)
    finally:
        await asyncio.gather(*(transport.close() for transport in transports))


def test_the_pause_has_full_jitter_and_a_cap() -> None:
    pause = NatsTransport("nats://h", rng=random.Random(7))._links._pause
    for attempt, bound in ((0, 0.25), (1, 0.5), (2, 1.0), (3, 1.5), (60, 1.5), (100_000, 1.5)):
        found = [pause(attempt) for _ in range(300)]
        assert 0 <= min(found) < bound * 0.1
        assert bound * 0.9 < max(found) <= bound


async def test_row_frozen_broker(nats_server: NatsServer, connect: Connect) -> None:
    """nats-py: a frozen broker is noticed after 6 minutes."""
    watched, heard = Watched(), Heard()
    transport = await connect(nats_server.url, watcher=watched)
    transport.subscribe("a", heard)
    await transport.flush()
    nats_server.pause()
    assert await until(lambda: not transport.connected, "noticed", within_s=5.0) <= 3.5
    assert "no answer to 2 pings" in watched.told[-1][1]
    with pytest.raises(NotConnected):
        transport.send("a", b"lost")
    nats_server.resume()
    assert await until(lambda: transport.connected, "back", within_s=5.0) < BACK_S
    transport.send("a", b"x")
    await transport.flush()
    assert heard.bodies == [b"x"]


async def test_row_own_lag_is_not_the_brokers_silence(nats_server: NatsServer, connect: Connect) -> None:
    transport = await connect(nats_server.url)
    await transport.flush()
    nats_server.pause()
    for _ in range(4):
        time.sleep(1.5)  # noqa: ASYNC251 - the lag that is tested
        await asyncio.sleep(0.001)
    nats_server.resume()
    await transport.flush()
    assert transport.statistics().reconnects == 0
    assert transport.connected


async def test_row_nothing_is_buffered(nats_server: NatsServer, connect: Connect) -> None:
    """nats-py: publishes while disconnected are buffered and replayed later."""
    heard = Heard()
    transport = await connect(nats_server.url)
    transport.subscribe("a", heard)
    await transport.flush()
    nats_server.kill()
    await until(lambda: not transport.connected, "noticed")
    for _ in range(3):
        with pytest.raises(NotConnected, match="no link"):
            transport.send("a", b"stale")
    with pytest.raises(NotConnected):
        await transport.flush()
    with pytest.raises(NotConnected):
        await transport.writable()
    await asyncio.to_thread(nats_server.start)
    await until(lambda: transport.connected, "back")
    transport.send("a", b"fresh")
    await transport.flush()
    assert heard.bodies == [b"fresh"]


async def test_row_failing_requests_leave_nothing(nats_server: NatsServer, connect: Connect) -> None:
    """nats-py: request() leaks its future when publishing fails."""
    transport = await connect(nats_server.url)
    inbox = transport._stream.inbox
    for number in range(5000):
        with pytest.raises(PayloadTooLarge):
            await transport.store("a", bytes(transport.max_payload + 1), message_id=str(number))
    later = asyncio.get_running_loop().time() + 5.0
    for _ in range(5000):
        with pytest.raises(SubjectError):
            await inbox.ask("a b", b"", None, later)
    assert inbox.waiting == 0
    asked = [asyncio.create_task(inbox.ask("nobody.mute", b"", None, later)) for _ in range(100)]
    await until(lambda: all(task.done() for task in asked), "answered: no responders")
    assert inbox.waiting == 0


async def test_row_close_with_unread_messages_and_from_a_receiver(nats_server: NatsServer) -> None:
    """nats-py: drain() in a handler, or with an unread message, blocks its whole timeout."""
    before = asyncio.all_tasks()
    transport = NatsTransport(nats_server.url)
    await transport.connect()
    closing: list[asyncio.Task[None]] = []

    def receiver(subject: str, body: bytes, reply: str, headers: Headers | None) -> None:
        if not closing:
            closing.append(asyncio.create_task(transport.close()))

    transport.subscribe("a", receiver)
    for _ in range(1000):
        transport.send("a", b"x")
    took = await until(lambda: closing and closing[0].done(), "closed")
    assert took < 1.0
    await closing[0]
    assert asyncio.all_tasks() == before
    with pytest.raises(Closed):
        transport.send("a", b"x")


async def test_row_close_goes_through_when_the_flush_fails(nats_server: NatsServer) -> None:
    """nats-py: if drain's flush raises, close is skipped."""
    before = asyncio.all_tasks()
    transport = NatsTransport(nats_server.url)
    await transport.connect()
    link = transport._links.link
    assert link is not None
    nats_server.pause()
    transport.send("a", bytes(900_000))
    started = time.monotonic()
    await transport.close(timeout_s=0.3)
    assert 0.25 < time.monotonic() - started < 1.0
    nats_server.resume()
    assert link._gone.done(), "the socket is closed"
    assert asyncio.all_tasks() == before
    assert transport.state is LinkState.CLOSED


async def test_row_slow_handler(nats_server: NatsServer, connect: Connect) -> None:
    """nats-py: 524,288 messages pending by default, then silent drops and one error_cb a message."""
    transport, sender = await connect(nats_server.url), await connect(nats_server.url)
    count = 0

    def raises(subject: str, body: bytes, reply: str, headers: Headers | None) -> None:
        raise RuntimeError("on purpose")

    def counts(subject: str, body: bytes, reply: str, headers: Headers | None) -> None:
        nonlocal count
        count += 1

    with structlog.testing.capture_logs() as logs:
        transport.subscribe("a", raises)
        transport.subscribe("a", counts)
        await transport.flush()
        for number in range(50_000):
            sender.send("a", b"x")
            if sender.congested:
                await sender.writable()
            elif number % 1000 == 0:
                await asyncio.sleep(0)
        await sender.flush(timeout_s=10.0)
        await transport.flush(timeout_s=10.0)
    assert count == 50_000
    assert transport.statistics().receiver_errors == 50_000
    faults = [entry for entry in logs if entry["event"] == "nats_fault"]
    assert 1 <= len(faults) <= 10, "logged at most once a second"
    assert faults[0]["kind"] == "receiver"


async def test_row_shared_inbox(nats_servers: Callable[..., NatsServer], connect: Connect) -> None:
    """nats-py: a shared _INBOX.: whoever may subscribe to it reads all replies."""
    allowed = 'publish: ">", subscribe: ["_INBOX.{0}.>"]'
    users = ", ".join(
        f"{{user: {name}, password: p, permissions: {{ {allowed.format(name)} }}}}" for name in ("one", "two")
    )
    server = nats_servers(extra=f"authorization {{ users: [{users}] }}").start()
    one = await connect(server.url, name="one", user="one", password="p")
    two = await connect(server.url, name="two", user="two", password="p")
    assert one.inbox.startswith("_INBOX.one.")
    assert one.inbox != NatsTransport(server.url, name="one").inbox
    with pytest.raises(Exception, match="nobody answers") as caught:
        await one.store("nowhere", b"", message_id="m", timeout_s=0.3)
    assert type(caught.value).__name__ == "StorageFailed", "the answer to its own inbox came"
    two.subscribe(f"{one.inbox}.>", Heard())
    await two.flush()
    assert two.statistics().errors == {"permission": 1}
    assert two.connected, "a permissions violation closes nothing"


async def test_subscriptions_are_many_and_small_and_come_back(nats_server: NatsServer, connect: Connect) -> None:
    transport = await connect(nats_server.url)
    heard = Heard()
    tasks = len(asyncio.all_tasks())
    subjects = [f"realm.to.agent-{number}.*" for number in range(20_000)]
    tracemalloc.start()
    for subject in subjects:
        transport.subscribe(subject, heard, "crew")
    octets = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert octets / 20_000 < 400, f"{octets / 20_000:.0f} bytes a subscription"
    assert len(asyncio.all_tasks()) == tasks
    await transport.flush(timeout_s=10.0)
    await asyncio.to_thread(nats_server.restart)
    await until(lambda: transport.statistics().reconnects == 1 and transport.connected, "back", within_s=10.0)
    for number in (0, 9_999, 19_999):
        transport.send(f"realm.to.agent-{number}.x", b"%d" % number)
    await transport.flush()
    assert heard.bodies == [b"0", b"9999", b"19999"]


async def test_congestion_is_told_and_bounded(nats_server: NatsServer, connect: Connect) -> None:
    transport = await connect(nats_server.url)
    nats_server.pause()
    chunk = bytes(256 * 1024)
    sent = 0
    while not transport.congested:
        transport.send("a", chunk)
        sent += len(chunk)
        assert sent < 32 * HIGH_WATER
    with pytest.raises(NotConnected, match="took too little"):
        await transport.writable(timeout_s=0.2)

    def overfill() -> None:
        for _ in range(2 * WRITE_LIMIT // len(chunk)):
            transport.send("a", chunk)

    with pytest.raises(NotConnected, match="await writable"):
        overfill()
    nats_server.resume()
    await transport.writable(timeout_s=10.0)
    assert not transport.congested


async def test_writable_ends_with_the_link(nats_server: NatsServer, connect: Connect) -> None:
    transport = await connect(nats_server.url)
    nats_server.pause()
    while not transport.congested:
        transport.send("a", bytes(500_000))
    waiting = asyncio.create_task(transport.writable(timeout_s=10.0))
    await asyncio.sleep(0)
    nats_server.kill()
    with pytest.raises(NotConnected, match="lost"):
        await waiting


async def test_a_mute_server_has_a_deadline(connect: Connect) -> None:
    async with FakeBroker(mute=True) as broker:
        started = time.monotonic()
        with pytest.raises(NotConnected, match=rf"{broker.where} did not complete the handshake .*tls_first"):
            await connect(f"nats://{broker.where}", timeout_s=0.5)
        assert time.monotonic() - started < 1.0


async def test_no_server_has_a_deadline_and_a_remedy(connect: Connect) -> None:
    port = free_port()
    with pytest.raises(NotConnected, match=rf"127.0.0.1:{port} can't be reached .*start a nats-server"):
        await connect(f"nats://127.0.0.1:{port}", timeout_s=0.5)


async def test_connect_waits_for_a_server_that_starts(nats_server: NatsServer, connect: Connect) -> None:
    nats_server.kill()
    connecting = asyncio.create_task(connect(nats_server.url))
    await asyncio.sleep(0)
    await asyncio.to_thread(nats_server.start)
    assert (await connecting).connected


async def test_one_of_several_servers_is_enough(nats_server: NatsServer, connect: Connect) -> None:
    transport = await connect(f"nats://127.0.0.1:{free_port()},{nats_server.url},127.0.0.1:{free_port()}")
    assert transport.connected


async def test_subscribe_before_connect(nats_server: NatsServer) -> None:
    transport, heard = NatsTransport(nats_server.url), Heard()
    transport.subscribe("a", heard)
    with pytest.raises(NotConnected, match="connect"):
        transport.send("a", b"")
    await transport.connect()
    with pytest.raises(ConfigurationError, match="already"):
        await transport.connect()
    transport.send("a", b"x")
    await transport.flush()
    await transport.close()
    await transport.close()
    assert heard.bodies == [b"x"]
    with pytest.raises(Closed):
        await transport.connect()


async def test_a_failed_connect_leaves_nothing_and_can_be_tried_again(nats_server: NatsServer) -> None:
    before = asyncio.all_tasks()
    nats_server.kill()
    transport = NatsTransport(nats_server.url)
    with pytest.raises(NotConnected):
        await transport.connect(timeout_s=0.2)
    assert asyncio.all_tasks() == before
    await asyncio.to_thread(nats_server.start)
    await transport.connect()
    await transport.close()
    assert asyncio.all_tasks() == before


async def test_close_ends_a_reconnect_that_swallows_its_cancellation(nats_server: NatsServer) -> None:
    """As wait_for can on Python 3.11, when what it waits for comes at that moment."""
    before = asyncio.all_tasks()
    asked = 0

    async def resolve() -> Endpoint:
        nonlocal asked
        asked += 1
        if asked > 1:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(1.0)
        return Endpoint(url=nats_server.url)

    transport = NatsTransport(nats_server.url, resolve=resolve)
    await transport.connect()
    link = transport._links.link
    assert link is not None
    link.lose("for the test")
    await until(lambda: asked == 2, "reconnecting")
    await transport.close()
    assert asyncio.all_tasks() == before
    assert not transport.connected


async def test_close_while_connecting(nats_server: NatsServer) -> None:
    before = asyncio.all_tasks()
    transport = NatsTransport(nats_server.url)
    connecting = asyncio.create_task(transport.connect())
    await asyncio.sleep(0)
    await transport.close()
    with pytest.raises(Closed):
        await connecting
    assert asyncio.all_tasks() == before


async def test_an_old_server_is_told_of(connect: Connect) -> None:
    async with FakeBroker(info={"version": "2.10.9"}) as broker:
        with structlog.testing.capture_logs() as logs:
            await connect(f"nats://{broker.where}")
        assert [entry["version"] for entry in logs if entry["event"] == "nats_server_too_old"] == ["2.10.9"]


@pytest.mark.parametrize("version", ["2.15.9", "1.0", "0.0.0", "nonsense"])
def test_an_old_client_is_refused(version: str) -> None:
    with pytest.raises(ConfigurationError, match=r"install nats-py 2\.16"):
        check_client(version)
    check_client("2.16.0")
    check_client("3.0.1")


async def test_pings_infos_and_nonsense_of_a_server(connect: Connect) -> None:
    async with FakeBroker() as broker:
        transport = await connect(f"nats://{broker.where}")
        broker.say(b"PING\r\n")
        await until(lambda: b"PONG\r\n" in broker.lines, "a PING is answered")
        broker.say(b"INFO {\"max_payload\": 9}\r\n-ERR 'permissions violation for x'\r\n")
        await until(lambda: transport.statistics().errors == {"permission": 1}, "counted")
        assert transport.connected
        broker.say(b"nonsense\r\n")
        await until(lambda: transport.statistics().errors.get("link_lost") == 1, "what is not NATS ends the link")
        await until(lambda: transport.connected, "back")


async def test_a_lone_message_goes_at_once_and_a_crowd_together(connect: Connect) -> None:
    line = b"PUB a 1\r\nx\r\n"
    async with FakeBroker() as broker:
        transport = await connect(f"nats://{broker.where}")
        link = transport._links.link
        assert link is not None
        await asyncio.sleep(0)

        async def turn(messages: int) -> tuple[int, int]:
            """How many of them are written at once, and how many at the end of the turn."""
            before = link.written
            for _ in range(messages):
                transport.send("a", b"x")
            at_once = link.written - before
            await asyncio.sleep(0)
            return at_once // len(line), (link.written - before) // len(line)

        await turn(1)
        assert await turn(1) == (1, 1)
        assert await turn(3) == (1, 3)
        assert await turn(3) == (0, 3)
        assert await turn(1) == (0, 1)
        assert await turn(1) == (1, 1)
        transport.hold()
        assert await turn(2) == (0, 2), "who says that more will come has one write"
        assert await turn(1) == (1, 1), "and makes no crowd of the next turn"
        transport.hold()
        assert await turn(0) == (0, 0)
        await until(lambda: broker.lines.count(b"PUB a 1\r\n") == 13, "all arrive")


async def test_statistics(nats_server: NatsServer, connect: Connect) -> None:
    transport = await connect(nats_server.url)
    transport.subscribe("a", Heard())
    transport.send("a", b"xyz")
    await transport.flush()
    statistics = transport.statistics()
    assert (statistics.sent, statistics.received, statistics.bytes_received) == (1, 1, 3)
    assert statistics.bytes_sent > 3
    assert 0 < statistics.rtt_s < 1
    assert (statistics.reconnects, statistics.dropped_settlements, statistics.last_error) == (0, 0, "")
