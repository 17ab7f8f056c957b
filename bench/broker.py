"""One nats-server for a run: on a free loopback port, with JetStream in a temporary folder, ended with the run."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from agentbus.transports.server_binary import find_server

START_S = 10.0
SERVE = '"$@" & server=$!; cat >/dev/null; kill $server; wait $server'
"""Runs a server for as long as whoever started it holds the other end of stdin, so that a killed run leaves none."""


@asynccontextmanager
async def nats_server() -> AsyncGenerator[str]:
    """Runs a nats-server with its default settings and JetStream, both sides' alike; yields its URL.

    Raises:
        RuntimeError: it doesn't answer in time; with its log.
    """
    with tempfile.TemporaryDirectory(prefix="bench-nats-") as folder:
        port = _free_port()
        config = Path(folder, "nats.conf")
        store = Path(folder, "jetstream")
        _write(config, f'listen: "127.0.0.1:{port}"\njetstream {{ store_dir: "{store}" }}\n')
        log = Path(folder, "nats.log")
        process = await asyncio.create_subprocess_exec(
            *("sh", "-c", SERVE, "sh", str(find_server()), "-c", str(config), "-l", str(log)),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            await _answers(port, process, log)
            yield f"nats://127.0.0.1:{port}"
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                async with asyncio.timeout(5.0):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


def server_version() -> str:
    """What ``nats-server --version`` says."""
    said = subprocess.run([str(find_server()), "--version"], capture_output=True, text=True, timeout=10, check=True)
    return said.stdout.strip().removeprefix("nats-server: ")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _write(path: Path, text: str) -> None:
    path.write_text(text)


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-1500:] if log.exists() else "no log"


async def _answers(port: int, process: asyncio.subprocess.Process, log: Path) -> None:
    deadline = asyncio.get_running_loop().time() + START_S
    while True:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        if process.returncode is not None or asyncio.get_running_loop().time() > deadline:
            raise RuntimeError(f"nats-server does not answer on port {port}: {_end_of(log)}")
        await asyncio.sleep(0.02)
