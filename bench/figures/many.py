"""Ten thousand agents on one node, against as many raw subscriptions."""

from __future__ import annotations

from ..frame import Comparison, Figure, Ground, Measures, Side
from ..pairs import alone


async def ours(ground: Ground) -> Measures:
    """agentbus: agents of one `@on` and one `@rpc`."""
    options = {"url": ground.url, "realm": ground.fresh("many"), "count": ground.count(10_000, 500)}
    return await alone("bench.sides.ours:host_many", options)


async def raw(ground: Ground) -> Measures:
    """nats-py: one subscription with a callback each."""
    options = {"url": ground.url, "count": ground.count(10_000, 500)}
    return await alone("bench.sides.raw_nats:subscribe_many", options)


FIGURE = Figure(
    name="many",
    title="10,000 agents on one node, against 10,000 raw subscriptions",
    method=(
        "A fresh process each. Start-up: from before connecting until the server has seen all subscriptions. Memory: "
        "growth of the resident set after a full collection, divided by 10,000. An agent has one @on and one @rpc."
    ),
    sides=(Side("agentbus", ours), Side("nats-py", raw)),
    comparisons=(
        Comparison(
            title="start-up of 10,000",
            measure="took_s",
            unit="s",
            ours="agentbus",
            theirs="nats-py",
            better="less",
            bar=6.0,
            hoped=2.0,
        ),
        Comparison(
            title="memory an agent",
            measure="each_kib",
            unit="KiB",
            ours="agentbus",
            better="less",
            bar=16.0,
            hoped=8.0,
        ),
        Comparison(
            title="memory an agent to a raw subscription",
            measure="each_kib",
            unit="KiB",
            ours="agentbus",
            theirs="nats-py",
            better="less",
        ),
    ),
)
