"""What the tests of the NATS transport share: waits that end, a broker by hand, certificates, a proxy to cut."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agentbus.transport import Headers, LinkState


async def until(condition: Callable[[], object], what: str, *, within_s: float = 5.0) -> float:
    """Returns when `condition` holds, with the seconds it took."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    while not condition():
        assert loop.time() - started < within_s, f"{what}: not within {within_s} s"
        await asyncio.sleep(0.01)
    return loop.time() - started


class Heard:
    """A receiver that keeps what it gets."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def __call__(self, subject: str, body: bytes, reply: str, headers: Headers | None) -> None:
        self.bodies.append(body)


class Watched:
    """A link watcher that keeps what it is told, and when."""

    def __init__(self) -> None:
        self.told: list[tuple[LinkState, str, float]] = []

    def __call__(self, state: LinkState, reason: str) -> None:
        self.told.append((state, reason, asyncio.get_running_loop().time()))

    def count(self, state: LinkState) -> int:
        return sum(each[0] is state for each in self.told)

    def last(self, state: LinkState) -> float:
        return [each[2] for each in self.told if each[0] is state][-1]


class FakeBroker:
    """Speaks as much NATS as a handshake needs, and keeps every line it is told. An async context manager.

    `info` is added to its INFO; `mute` accepts and says nothing.
    """

    def __init__(self, *, info: dict[str, Any] | None = None, mute: bool = False) -> None:
        self.lines: list[bytes] = []
        self.connections: list[asyncio.StreamWriter] = []
        self.port = 0
        self._info = {"server_id": "F", "version": "2.15.0", "max_payload": 1 << 20, "headers": True, **(info or {})}
        self._mute = mute
        self._tasks: set[asyncio.Task[Any]] = set()
        self._server: asyncio.Server | None = None

    @property
    def where(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def __aenter__(self) -> FakeBroker:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self.connections:
            writer.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def say(self, data: bytes) -> None:
        """Writes to the latest connection."""
        self.connections[-1].write(data)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(writer)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        if not self._mute:
            writer.write(b"INFO " + json.dumps(self._info).encode() + b"\r\n")
        try:
            while line := await reader.readline():
                self.lines.append(line)
                if line == b"PING\r\n" and not self._mute:
                    writer.write(b"PONG\r\n")
        except ConnectionError:
            pass
        finally:
            writer.close()


class Proxy:
    """Carries bytes to a port until it is cut; while cut, takes no connection. An async context manager."""

    def __init__(self, port: int) -> None:
        self.port = 0
        self._target = port
        self._cut = False
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await self._server.wait_closed()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        self._cut = True
        for writer in self._open:
            writer.transport.abort()

    def mend(self) -> None:
        self._cut = False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._cut:
            writer.transport.abort()
            return
        onward_reader, onward = await asyncio.open_connection("127.0.0.1", self._target)
        self._open |= {writer, onward}
        for source, sink in ((reader, onward), (onward_reader, writer)):
            task = asyncio.create_task(self._carry(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                sink.write(data)
        except ConnectionError:
            pass
        finally:
            sink.transport.abort()
            self._open.discard(sink)


def certificates(folder: Path) -> Path:
    """An authority (ca.pem) and a server's certificate for 127.0.0.1 (cert.pem, key.pem), made by openssl."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    usage = "keyUsage=critical,keyCertSign,digitalSignature"
    openssl("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test-ca", "-addext", usage)
    openssl("req", *curve, "-keyout", "key.pem", "-out", "req.pem", "-subj", "/CN=server")
    (folder / "ext").write_text("subjectAltName=IP:127.0.0.1\n")
    signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "ext", "-days", "2")
    openssl("x509", "-req", "-in", "req.pem", "-out", "cert.pem", *signing)
    return folder
