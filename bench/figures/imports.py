"""The time of importing agentbus with its NATS transport, against its dependencies alone."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from functools import cache

from ..frame import Comparison, Figure, Ground, Measures, Side
from ..processes import ROOT, ChildFailed

TIMED = "import time; began = time.perf_counter(); {}; print(time.perf_counter() - began)"


@cache
def compiled() -> tempfile.TemporaryDirectory[str]:
    """Where both sides' bytecode is kept, so that neither is compiled while it is timed: pip compiles what it installs,
    and a checkout may forbid it."""
    return tempfile.TemporaryDirectory(prefix="agentbus-bench-bytecode-")


async def timed(statement: str) -> Measures:
    """The time that a statement takes in a fresh interpreter, its start not counted; after one that compiled it.
    Raises `ChildFailed`."""
    await once(statement)
    return {"took_ms": await once(statement) * 1000}


async def once(statement: str) -> float:
    """Seconds. Raises `ChildFailed`."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", TIMED.format(statement)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={**environment, "PYTHONPYCACHEPREFIX": compiled().name},
    )
    async with asyncio.timeout(30.0):
        said, complaint = await process.communicate()
    if process.returncode:
        raise ChildFailed(f"{statement!r}: {complaint.decode(errors='replace')[-1500:]}")
    return float(said)


async def ours(ground: Ground) -> Measures:
    """agentbus and its NATS transport."""
    return await timed("from agentbus import Node; import agentbus.transports.nats")


async def dependencies(ground: Ground) -> Measures:
    """What it depends on."""
    return await timed("import nats, structlog, google.protobuf.message")


FIGURE = Figure(
    name="imports",
    title="Import time, against nats-py, structlog and protobuf alone",
    method=(
        "A fresh interpreter each; the time of `from agentbus import Node` and its NATS transport, against "
        "`import nats, structlog, google.protobuf.message`; the start of the interpreter is in neither."
    ),
    sides=(Side("agentbus", ours), Side("dependencies", dependencies)),
    comparisons=(
        Comparison(
            title="import with the NATS transport",
            measure="took_ms",
            unit="ms",
            ours="agentbus",
            theirs="dependencies",
            better="less",
            bar=1.3,
            hoped=1.1,
        ),
    ),
    rounds=11,
)
