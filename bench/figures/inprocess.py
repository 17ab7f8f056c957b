"""Requests within one process, on ``memory://``, against Pykka and AutoGen."""

from __future__ import annotations

from functools import partial

from ..frame import Comparison, Figure, Ground, Measures, Side
from ..pairs import alone
from ..sides.samples import REQUEST_BYTES

WIDTH = 64


async def ours(ground: Ground, *, width: int) -> Measures:
    """agentbus: a node that asks its own agent over ``memory://``."""
    count = ground.count(50_000 if width > 1 else 10_000, 1_000)
    options = {"url": "memory://", "realm": "bench", "count": count, "width": width, "size": REQUEST_BYTES}
    return await alone("bench.sides.ours:ask", {**options, "to": "echo", "alone": True})


async def pykka(ground: Ground, *, width: int, futures: bool = False) -> Measures:
    """Pykka: `ask` to a ThreadingActor; `futures`: ``ask(block=False)`` by one thread."""
    options = {"count": ground.count(20_480, 1_024), "width": width, "futures": futures}
    return await alone("bench.sides.pykka_side:ask", options, ground.peers("pykka"))


async def autogen(ground: Ground) -> Measures:
    """AutoGen: `send_message` in a SingleThreadedAgentRuntime."""
    options = {"count": ground.count(5_000, 500), "width": WIDTH}
    return await alone("bench.sides.autogen_side:ask", options, ground.peers("autogen-core"))


FIGURE = Figure(
    name="inprocess",
    title="Requests within one process, against Pykka and AutoGen",
    method=(
        "A number and 26 bytes, answered with the same. Ours serializes both ways over memory://; Pykka and AutoGen "
        "hand objects over. 64 at once: ours and AutoGen's by 64 coroutines on uvloop, Pykka's by 64 threads that "
        "`ask`; also told is Pykka's by one thread with 64 futures of `ask(block=False)`, which saves it the switching."
    ),
    sides=(
        Side("agentbus", partial(ours, width=WIDTH)),
        Side("pykka", partial(pykka, width=WIDTH)),
        Side("pykka, futures", partial(pykka, width=WIDTH, futures=True)),
        Side("autogen", autogen),
        Side("agentbus, one", partial(ours, width=1)),
        Side("pykka, one", partial(pykka, width=1)),
    ),
    comparisons=(
        Comparison(
            title="64 at once, against Pykka",
            measure="rate",
            unit="requests/s",
            ours="agentbus",
            theirs="pykka",
            bar=2.0,
            hoped=4.0,
        ),
        Comparison(
            title="64 at once, against Pykka's futures of one thread",
            measure="rate",
            unit="requests/s",
            ours="agentbus",
            theirs="pykka, futures",
        ),
        Comparison(
            title="64 at once, against AutoGen",
            measure="rate",
            unit="requests/s",
            ours="agentbus",
            theirs="autogen",
            bar=15.0,
            hoped=30.0,
        ),
        Comparison(
            title="one at a time, against Pykka",
            measure="rate",
            unit="requests/s",
            ours="agentbus, one",
            theirs="pykka, one",
            bar=0.9,
            hoped=1.5,
        ),
    ),
)
