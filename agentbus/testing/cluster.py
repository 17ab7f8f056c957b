"""A cluster of real nats-servers with JetStream on loopback, whose servers can be killed and started again.

For tests, benches and demonstrations of what holds when a broker dies. Invariants: every server has a client port and
a store of its own, which it keeps across restarts; clients and servers need passwords that are made anew for each
cluster; no server outlives the process that started it (on Linux) or `stop`.

Reference: https://docs.nats.io/running-a-nats-service/configuration/clustering/jetstream_clustering
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ..errors import ServerFailed
from ..transports.server_binary import find_server
from ..transports.server_guardian import die_with_parent

POLL_S = 0.02
"""Seconds between two looks at whether a server answers."""
ASK_S = 1.0
"""Seconds that one question to JetStream may take."""
_HOST = "127.0.0.1"
_IN_USE = 10058
"""JetStream's number for: there is a stream of this name, with other settings."""


class Cluster:
    """Some nats-servers that are one broker. An async context manager: starts them, and stops them at the end.

    Args:
        servers: how many. Three survive the loss of one; one is a plain server without clustering.
        folder: where configuration, logs and stores lie. Default: a temporary folder, removed at the end.
        settings: further settings of each server, such as ``{"max_payload": 65536}``.
    """

    _probe = ("cluster-probe", "cluster-probe")  # the stream, and its subject, that tells whether servers agree

    def __init__(
        self, servers: int = 3, *, folder: Path | None = None, settings: Mapping[str, Any] | None = None
    ) -> None:
        self._own_folder = folder is None
        self._folder = (folder or Path(tempfile.mkdtemp(prefix="agentbus-cluster-"))).absolute()
        self._settings = dict(settings or {})
        self._password = secrets.token_urlsafe(24)
        self._route_password = secrets.token_urlsafe(24)
        ports = free_ports(2 * servers)
        self._ports, self._route_ports = ports[:servers], ports[servers:]
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def __len__(self) -> int:
        return len(self._ports)

    @property
    def url(self) -> str:
        """All servers, joined by commas, with the credentials for them: what a `Node` or a transport is given."""
        return ",".join(self.url_of(index) for index in range(len(self)))

    def url_of(self, index: int) -> str:
        """One server's URL, with credentials."""
        return f"nats://agentbus:{self._password}@{_HOST}:{self._ports[index]}"

    @property
    def running(self) -> tuple[int, ...]:
        """The servers that have been started and not killed."""
        return tuple(sorted(self._processes))

    async def start(self, *, timeout_s: float = 20.0) -> None:
        """Starts all servers that do not run; returns when a stream with a copy on each of them can be made.

        Raises:
            ServerFailed: they did not answer, or did not agree, in time. The text has the end of a log.
        """
        try:
            async with asyncio.timeout(timeout_s):
                for index in range(len(self)):
                    if index not in self._processes:
                        self._launch(index)
                for index in range(len(self)):
                    await self._answers(index)
                await self._agree()
        except TimeoutError:
            raise ServerFailed(f"the cluster was not ready within {timeout_s:g} s; {self._log_tail(0)}") from None

    def kill(self, index: int) -> None:
        """Ends one server at once (SIGKILL); its store stays. Does nothing if it does not run."""
        process = self._processes.pop(index, None)
        if process is not None:
            process.kill()
            process.wait()

    async def restart(self, index: int, *, timeout_s: float = 20.0) -> None:
        """Starts one server again, with its port and its store, killing it first if it runs; returns when it answers.
        It then catches up by itself. Raises `ServerFailed`."""
        self.kill(index)
        try:
            async with asyncio.timeout(timeout_s):
                self._launch(index)
                await self._answers(index)
        except TimeoutError:
            raise ServerFailed(f"server {index} is not up within {timeout_s:g} s; {self._log_tail(index)}") from None

    def freeze(self, index: int) -> None:
        """Stops one server in its tracks (SIGSTOP): its connections stay and nothing answers."""
        self._processes[index].send_signal(signal.SIGSTOP)

    def thaw(self, index: int) -> None:
        """Lets a frozen server go on."""
        self._processes[index].send_signal(signal.SIGCONT)

    async def leader(self, stream: str, *, timeout_s: float = 10.0) -> int:
        """The index of the server that leads a stream. Raises `ServerFailed`: no such stream, or no leader in time."""
        why = "no server runs"
        names = {self._name(index): index for index in range(len(self))}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while True:
                    for index in self.running:
                        reply = await self._asked(index, f"STREAM.INFO.{stream}", {})
                        name = str(reply.get("cluster", {}).get("leader", "") if len(self) > 1 else self._name(0))
                        leader = names.get(name)
                        if "error" not in reply and leader in self._processes:
                            return leader
                        why = str(reply.get("error", {}).get("description", "it has no leader"))
                    await asyncio.sleep(POLL_S)
        raise ServerFailed(f"the leader of stream {stream} is not known within {timeout_s:g} s: {why}")

    async def stop(self) -> None:
        """Ends all servers. What lies in a temporary folder is removed."""
        for process in self._processes.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
        for process in self._processes.values():
            process.wait()
        self._processes.clear()
        if self._own_folder:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    # Inside.

    def _name(self, index: int) -> str:
        return f"server-{index}"

    def _home(self, index: int) -> Path:
        """Where a server is started, and finds its ``server.conf``."""
        return self._folder / self._name(index)

    def _furnish(self, index: int) -> None:
        """Writes a server's configuration."""
        folder = self._home(index)
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "server.conf"
        config.touch(mode=0o600)
        config.write_text(self._config(index, folder), "utf-8")

    def _launch(self, index: int) -> None:
        binary = find_server()
        self._furnish(index)
        folder = self._home(index)
        with (folder / "server.log").open("ab") as log:
            self._processes[index] = subprocess.Popen(
                [binary, "-c", "server.conf"],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C is for the program, not for its brokers
                preexec_fn=partial(die_with_parent, os.getpid()),  # noqa: PLW1509 - whoever has threads starts it first
            )

    def _config(self, index: int, folder: Path) -> str:
        settings: dict[str, Any] = {
            "listen": f"{_HOST}:{self._ports[index]}",
            "server_name": self._name(index),
            "authorization": {"user": "agentbus", "password": self._password},
            "jetstream": {"store_dir": str(folder / "jetstream"), "max_mem": 256 << 20, "max_file": 8 << 30},
            **self._settings,
        }
        if len(self) > 1:
            login = f"route:{self._route_password}"
            settings["cluster"] = {
                "name": "agentbus",
                "listen": f"{_HOST}:{self._route_ports[index]}",
                "authorization": {"user": "route", "password": self._route_password},
                "routes": [
                    f"nats://{login}@{_HOST}:{port}" for port in self._route_ports if port != self._route_ports[index]
                ],
            }
        return json.dumps(settings, indent=2)

    async def _answers(self, index: int) -> None:
        """Returns when the server takes connections; starts it again if it ended before it did."""
        while True:
            if self._processes[index].poll() is not None:
                self._launch(index)  # another program may have held the port for a moment
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(_HOST, self._ports[index])
                writer.transport.abort()
                return
            await asyncio.sleep(5 * POLL_S)

    async def _agree(self) -> None:
        """Makes, and deletes, a stream with a copy on each server."""
        name, subject = self._probe
        probe = {"name": name, "subjects": [subject], "storage": "memory", "num_replicas": min(len(self), 5)}
        while error := (await self._asked(0, f"STREAM.CREATE.{name}", probe)).get("error"):
            if error.get("err_code") == _IN_USE:
                return  # it has been there before, and is not this one's to delete
            await asyncio.sleep(5 * POLL_S)
        await self._asked(0, f"STREAM.DELETE.{name}", {})

    async def _asked(self, index: int, call: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """What JetStream answers through one server; an answer with an ``error`` if there is none."""
        try:
            async with asyncio.timeout(ASK_S):
                return await _ask(self._ports[index], self._password, f"$JS.API.{call}", json.dumps(request).encode())
        except (OSError, EOFError, TimeoutError) as error:
            return {"error": {"description": str(error) or "no answer"}}

    def _log_tail(self, index: int) -> str:
        log = self._home(index) / "server.log"
        text = log.read_text("utf-8", "replace")[-2000:] if log.exists() else "it was not started"
        return f"the log of server {index} ends:\n{text}"


async def _ask(port: int, password: str, subject: str, body: bytes) -> dict[str, Any]:
    """One question on a connection of its own, so that it is this server that answers or passes it on."""
    reader, writer = await asyncio.open_connection(_HOST, port)
    try:
        await reader.readline()
        login = {"user": "agentbus", "pass": password, "verbose": False, "headers": True, "no_responders": True}
        writer.write(b"CONNECT %b\r\nSUB answer 1\r\n" % json.dumps(login).encode())
        writer.write(b"PUB %b answer %d\r\n%b\r\n" % (subject.encode(), len(body), body))
        while line := await reader.readline():
            if line.startswith(b"MSG "):
                answer: dict[str, Any] = json.loads(await reader.readexactly(int(line.split()[-1])))
                return answer
            if line.startswith(b"HMSG "):
                break
        return {"error": {"description": "JetStream is not up yet"}}
    finally:
        writer.transport.abort()


def free_ports(number: int) -> list[int]:
    """Loopback ports that nobody listens on now, all different."""
    probes = [socket.socket() for _ in range(number)]
    try:
        for probe in probes:
            probe.bind((_HOST, 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
