"""The relay: forwards, falls silent both ways, and lets pass what had waited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from examples.selfhealing.relay import HOST, Relay

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[int]:
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def serve() -> None:
            await handler(reader, writer)

        task = asyncio.create_task(serve())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, HOST, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.gather(*tasks)


async def silent(read: Awaitable[bytes]) -> bool:
    """Whether nothing comes: a round trip elsewhere has been made meanwhile."""
    waiting = asyncio.ensure_future(read)
    async with served(echo) as port:
        reader, writer = await asyncio.open_connection(HOST, port)
        for _ in range(20):
            writer.write(b"x")
            await reader.readexactly(1)
        writer.close()
        await writer.wait_closed()
    quiet = not waiting.done()
    waiting.cancel()
    await asyncio.wait([waiting])
    return quiet


async def test_it_forwards_both_ways() -> None:
    async with served(echo) as port, Relay([port]) as relay:
        reader, writer = await asyncio.open_connection(HOST, relay.ports[0])
        sent = bytes(range(256)) * 4096
        writer.write(sent)
        assert await reader.readexactly(len(sent)) == sent
        assert relay.bytes == 2 * len(sent)
        writer.close()
        await writer.wait_closed()


async def test_cut_nothing_passes_and_nobody_is_told_and_healed_what_waited_passes() -> None:
    async with served(echo) as port, Relay([port]) as relay:
        reader, writer = await asyncio.open_connection(HOST, relay.ports[0])
        writer.write(b"before")
        assert await reader.readexactly(6) == b"before"
        relay.cut()
        assert relay.is_cut
        writer.write(b"during")
        assert await silent(reader.read(1)), "neither data nor an end"
        assert relay.bytes == 12
        relay.heal()
        assert await reader.readexactly(6) == b"during"
        writer.close()
        await writer.wait_closed()


async def test_whoever_comes_while_it_is_cut_is_let_in_and_not_answered() -> None:
    async with served(echo) as port, Relay([port]) as relay:
        relay.cut()
        reader, writer = await asyncio.open_connection(HOST, relay.ports[0])
        writer.write(b"hello")
        assert await silent(reader.read(1))
        relay.heal()
        assert await reader.readexactly(5) == b"hello"
        writer.close()
        await writer.wait_closed()


async def test_a_close_on_one_side_is_not_seen_on_the_other_until_it_is_healed() -> None:
    ended = asyncio.Event()

    async def wait_for_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"!")
        assert await reader.read() == b""
        ended.set()
        writer.close()

    async with served(wait_for_the_end) as port, Relay([port]) as relay:
        reader, writer = await asyncio.open_connection(HOST, relay.ports[0])
        assert await reader.readexactly(1) == b"!"
        relay.cut()
        writer.close()
        await writer.wait_closed()

        async def end() -> bytes:
            await ended.wait()
            return b""

        assert await silent(end())
        relay.heal()
        async with asyncio.timeout(5.0):
            await ended.wait()


async def test_a_server_that_is_gone_ends_its_connections_only() -> None:
    async with served(echo) as port:
        with_nobody = await asyncio.start_server(lambda reader, writer: None, HOST, 0)
        gone = with_nobody.sockets[0].getsockname()[1]
        with_nobody.close()
        await with_nobody.wait_closed()
        async with Relay([gone, port]) as relay:
            reader, writer = await asyncio.open_connection(HOST, relay.ports[0])
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await reader.readexactly(1)
            writer.close()
            reader, writer = await asyncio.open_connection(HOST, relay.ports[1])
            writer.write(b"hello")
            assert await reader.readexactly(5) == b"hello"
            writer.close()
            await writer.wait_closed()


async def test_a_url_leads_through_it() -> None:
    async with Relay([4222, 4223]) as relay:
        first, second = relay.ports
        url = relay.lead("nats://a:b@127.0.0.1:4222,nats://a:b@127.0.0.1:4223")
        assert url == f"nats://a:b@127.0.0.1:{first},nats://a:b@127.0.0.1:{second}"
