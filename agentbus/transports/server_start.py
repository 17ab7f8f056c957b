"""Starts a guardian, and tells what became of one that failed."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from agentbus.errors import ServerFailed
from agentbus.transports import server_guardian
from agentbus.transports.server_address import ServerAddress
from agentbus.transports.server_binary import find_server
from agentbus.transports.server_guardian import CONFIG, FAILURE, GUARDIAN_LOG, log_tail, write_private
from agentbus.transports.server_lock import FileLock

if TYPE_CHECKING:
    from agentbus.transports.server_guardian import Plan

_DETACH_S = 10.0
_LOG_BYTES = 1 << 20
_PASSED_ON = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME")
_PASSED_ON_TO_GO = ("GOMAXPROCS", "GOMEMLIMIT", "GOGC")
"""A guardian outlives its starter: it gets of its environment what it needs, and no secrets."""


def start_guardian(folder: Path, lock: FileLock, config: str) -> None:
    """Starts a detached guardian for a shared server and hands it the folder's `lock`. Blocks some 60 ms.

    It has then begun to work; whether it succeeds shows in ``address.json`` or, by `failure_stamp`, as a failure.

    Raises:
        ServerFailed: no nats-server found, or the guardian can't be started.
    """
    try:
        binary = str(find_server())
        write_private(str(folder / CONFIG), config)
        plan: Plan = {
            "binary": binary,
            "foreground": False,
            "host": "127.0.0.1",
            "port": 0,
            "user": "",
            "password": "",
        }
        with spawn(folder, lock, plan, stdout=subprocess.DEVNULL) as child:
            assert child.stdin is not None
            child.stdin.close()
            try:
                code = child.wait(_DETACH_S)
            except subprocess.TimeoutExpired:
                child.kill()
                code = None
        if code != 0:
            raise ServerFailed(f"the embedded server's guardian did not start ({code}): see {folder / GUARDIAN_LOG}")
    finally:
        lock.forget()


def spawn(folder: Path, lock: FileLock, plan: Plan, *, stdout: int) -> subprocess.Popen[bytes]:
    """Starts a guardian and writes it its plan. It inherits nothing else but the lock.

    Raises:
        ServerFailed: the interpreter can't be started.
    """
    environment = {name: os.environ[name] for name in _PASSED_ON + _PASSED_ON_TO_GO if name in os.environ}
    script = str(Path(server_guardian.__file__))
    log = folder / GUARDIAN_LOG
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > _LOG_BYTES:
            log.unlink()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", script, str(folder), str(lock.fd)],
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=output,
            pass_fds=(lock.fd,),
            start_new_session=True,
            env=environment,
            cwd=folder,
        )
    except (OSError, ValueError) as error:
        raise ServerFailed(f"can't start {sys.executable!r} as the embedded server's guardian: {error}") from error
    finally:
        os.close(output)
    assert child.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it ended at once: its exit code tells
        child.stdin.write(json.dumps(plan).encode() + b"\n")
        child.stdin.flush()
    return child


def failure_stamp(folder: Path) -> tuple[int, int] | None:
    """Changes when a guardian gives up."""
    try:
        status = (folder / FAILURE).stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_ino


def failure_text(folder: Path) -> str:
    """What the guardian that gave up said, with the end of the server's log."""
    said = (folder / FAILURE).read_text("utf-8", "replace")
    return f"the embedded server in {folder} can't be had: {said}"


def late_text(folder: Path, address: ServerAddress | None, timeout_s: float) -> str:
    """Why there is still no server after `timeout_s`, as far as can be told."""
    here = socket.gethostname()
    if address is not None and address.machine != here:
        return (
            f"{folder} is in use by machine {address.machine!r}, this is {here!r}: set AGENTBUS_HOME to a local folder"
        )
    state = f"process {address.server_pid} at {address.url} does not answer" if address else "it is not up yet"
    tail = log_tail(str(folder))
    return f"no embedded server in {folder} within {timeout_s:.3g} s: {state}" + (
        f"; its log ends:\n{tail}" if tail else ""
    )
