"""A TCP relay that can fall silent: how the demo partitions a network without being root.

Who connects through it reaches what lies behind as if it were not there. While it is cut nothing passes, in either
direction, and nobody is told: connections stay open, new ones are accepted and get no answer, and a close on one side
is not seen on the other. When it is healed, what had waited passes on, as TCP would have sent it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

HOST = "127.0.0.1"
CHUNK = 1 << 16
"""Bytes that are read at once. What waits in a cut connection is bounded by this and by what the kernels hold."""


class Relay:
    """One loopback port for each of the ports behind it. An async context manager.

    Args:
        ports: the loopback ports that it leads to.
    """

    def __init__(self, ports: Sequence[int]) -> None:
        self._behind = tuple(ports)
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = asyncio.Event()
        self._open.set()
        self.bytes = 0

    @property
    def ports(self) -> tuple[int, ...]:
        """Where it listens, in the order of what lies behind."""
        return tuple(server.sockets[0].getsockname()[1] for server in self._servers)

    @property
    def is_cut(self) -> bool:
        """Whether nothing passes."""
        return not self._open.is_set()

    def cut(self) -> None:
        """From now on nothing passes."""
        self._open.clear()

    def heal(self) -> None:
        """Everything passes again."""
        self._open.set()

    def lead(self, url: str) -> str:
        """A URL of servers behind it (joined by commas), as it is to be used by those who come through the relay."""
        through = dict(zip(self._behind, self.ports, strict=True))
        return ",".join(_with_port(one, through) for one in url.split(","))

    async def __aenter__(self) -> Self:
        for port in self._behind:
            accept = partial(self._accept, port)
            self._servers.append(await asyncio.start_server(accept, HOST, 0, limit=CHUNK))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for server in self._servers:
            await server.wait_closed()

    def _accept(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(port, reader, writer), name=f"relay to {port}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers = [writer]
        try:
            await self._open.wait()
            there, back = await asyncio.open_connection(HOST, port, limit=CHUNK)
            writers.append(back)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, back))
                both.create_task(self._pump(there, writer))
        except* OSError:
            pass  # one side is gone: so is the other
        finally:
            for one in writers:
                one.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until one side ends, which ends both."""
        while True:
            await self._open.wait()
            data = await reader.read(CHUNK)
            await self._open.wait()
            if not data:
                with suppress(OSError):
                    await writer.drain()
                raise ConnectionResetError
            self.bytes += len(data)
            writer.write(data)
            await writer.drain()


def _with_port(url: str, through: dict[int, int]) -> str:
    parts = urlsplit(url)
    assert parts.port is not None, "servers behind a relay have ports"
    login, at, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{login}{at}{HOST}:{through[parts.port]}"))
