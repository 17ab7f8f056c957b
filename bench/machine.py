"""What a run was made on: the machine, the interpreters, the versions."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .broker import server_version
from .frame import NotInstalled
from .processes import ROOT

OURS = ("agentbus-network", "nats-py", "protobuf", "uvloop", "structlog", "hdrhistogram")
PEERS = ("faststream", "pydantic", "pykka", "autogen-core", "nats-py", "protobuf", "uvloop")
REMEDY = "python -m venv .venv-peers && .venv-peers/bin/pip install -e '.[bench-peers]'"
ASK = (
    "import importlib.metadata as m, json, platform, sys\n"
    "def v(n):\n"
    "    try: return m.version(n)\n"
    "    except m.PackageNotFoundError: return None\n"
    "print(json.dumps({'python': platform.python_version(), **{n: v(n) for n in sys.argv[1:]}}))"
)


def peers_python() -> str:
    """The interpreter that has the peers: ``BENCH_PEERS_PYTHON``, or ``.venv-peers``, or this one."""
    beside = ROOT / ".venv-peers" / "bin" / "python"
    return os.environ.get("BENCH_PEERS_PYTHON") or (str(beside) if beside.exists() else sys.executable)


@cache
def peers_versions() -> dict[str, str | None]:
    """The versions that the peers' interpreter has; None for what is missing. Raises `NotInstalled`."""
    try:
        said = subprocess.run(
            [peers_python(), "-c", ASK, *PEERS], capture_output=True, text=True, timeout=30, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise NotInstalled(f"{peers_python()} does not run ({error}): {REMEDY}") from None
    return json.loads(said)


def python_with(distribution: str) -> str:
    """The interpreter that has a peer. Raises `NotInstalled`, with the remedy."""
    if peers_versions().get(distribution) is None:
        raise NotInstalled(f"{distribution} is not installed: {REMEDY}")
    return peers_python()


def description() -> dict[str, Any]:
    """Everything that a reader of the numbers should know."""
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": _processor(),
        "cores": os.cpu_count(),
        "load average before": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "nats-server": server_version(),
        "versions": {name: _version(name) for name in OURS},
        "peers": _quietly(peers_versions),
    }


def busy(told: dict[str, Any]) -> bool:
    """Whether others used the machine: then the numbers are preliminary."""
    return float(told["load average before"]) > 0.25 * float(told["cores"] or 1)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _quietly(ask: Callable[[], dict[str, str | None]]) -> dict[str, str | None]:
    try:
        return ask()
    except NotInstalled as missing:
        return {"missing": str(missing)}
