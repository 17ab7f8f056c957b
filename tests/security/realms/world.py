"""A realm with a real nats-server, for tests: made, started, changed and stopped at will."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from agentbus import Agent, Node
from agentbus.errors import AgentBusError, NotConnected
from agentbus.security import Credentials, Identity, KeyPair
from agentbus.security.enroller.service import Enroller
from agentbus.security.realm.demands import Demands
from agentbus.security.realm.folder import ENROLLER, RealmFolder, create
from agentbus.security.realm.issuing import Wanted
from agentbus.security.realm.permissions import Layout
from tests.nats_server import START_S, binary, free_port


class World:
    """A realm's folder and its servers.

    Attributes:
        realm: the folder.
    """

    def __init__(self, folder: Path, *, servers: int = 1, admission: Demands | None = None, **layout: Any) -> None:
        self.ports = [free_port() for _ in range(2 * servers if servers > 1 else 1)]
        self.realm: RealmFolder = create(
            folder / "realm",
            Layout(realm="plant", **layout),
            now_s=int(time.time()),
            ports=self.ports,
            servers=servers,
            admission=admission,
        )
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def port(self) -> int:
        return self.ports[0]

    @property
    def log(self) -> str:
        """What the servers have said."""
        return "".join(path.read_text() for path in sorted((self.realm.folder / "servers").glob("*/nats.log")))

    def start(self, number: int = 1) -> None:
        """Starts a server, and returns when it listens."""
        folder = self.realm.server(number)
        with (folder / "nats.log").open("ab") as log:
            process = subprocess.Popen([binary(), "-c", "server.conf"], cwd=folder, stdout=log, stderr=log)
        self._processes[number] = process
        deadline = time.monotonic() + START_S
        while True:
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", self.ports[number - 1]), timeout=1.0),
            ):
                return
            assert process.poll() is None, (folder / "nats.log").read_text()[-2000:]
            assert time.monotonic() < deadline, "nats-server does not answer"
            time.sleep(0.01)

    def stop(self) -> None:
        for process in self._processes.values():
            process.send_signal(signal.SIGKILL)
            process.wait()
        self._processes.clear()

    def stop_one(self, number: int) -> None:
        """Kills a server."""
        process = self._processes.pop(number)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def credentials(
        self,
        node: str,
        role: str = "agent",
        names: Sequence[str] = ("*",),
        *,
        jobs: Sequence[str] = (),
        valid_s: int = 600,
        at_s: int = 0,
    ) -> Credentials:
        """Of a new key, enrolled by hand."""
        pair = KeyPair.create()
        wanted = Wanted(key=pair.key, node=node, role=role, names=tuple(names), jobs=tuple(jobs))
        return self.realm.enroll(pair, wanted, at_s or int(time.time()), valid_s)

    def identity(self, node: str, role: str = "agent", names: Sequence[str] = ("*",), **options: Any) -> Identity:
        """Of a new key, enrolled by hand, and not renewed."""
        return Identity(self.credentials(node, role, names, **options))

    @asynccontextmanager
    async def enroller(self, **options: Any) -> AsyncIterator[Enroller]:
        """A node with the enroller, which makes the realm's streams."""
        agent = Enroller(self.realm.enroller, **options)
        identity = Identity(Credentials.load(self.realm.enroller / ENROLLER))
        async with Node(identity=identity, agents={"enroller": agent}):
            yield agent

    def node(self, name: str, agents: Mapping[str, Agent] | None = None, **options: Any) -> Node:
        """A node of a new identity, enrolled by hand."""
        return Node(identity=self.identity(name, **options), agents=agents or {})


def raises(node: Node, kind: type[AgentBusError]) -> bool:
    """Whether sending fails now, and as what it is."""
    try:
        node.transport.send("plant.ev.x", b"")
    except kind:
        return True
    except NotConnected:
        return False
    return False


Worlds = Callable[..., World]
