"""Durable events stored, delivered and acknowledged, against raw nats-py with JetStream."""

from __future__ import annotations

from ..frame import Comparison, Figure, Ground, Measures, Side
from ..pairs import delivered
from ..sides.samples import SAMPLE_BYTES

OURS = "bench.sides.ours"
RAW = "bench.sides.raw_nats"
WIDTH = 64


async def ours(ground: Ground) -> Measures:
    """agentbus: ``publish(durable=True)`` to ``@on(durable=...)``."""
    common = {"url": ground.url, "realm": ground.fresh("durable"), "count": ground.count(10_000, 500)}
    return await delivered(f"{OURS}:hear_stored", common, f"{OURS}:store_events", {**common, "width": WIDTH})


async def raw(ground: Ground) -> Measures:
    """nats-py: `publish` with acknowledgement, a pull consumer, `fetch` and `ack`."""
    name = ground.fresh("raw-durable")
    common = {"url": ground.url, "stream": name, "subject": f"{name}.events", "count": ground.count(10_000, 500)}
    return await delivered(
        f"{RAW}:hear_stored",
        {**common, "width": WIDTH},
        f"{RAW}:store_events",
        {**common, "width": WIDTH, "size": SAMPLE_BYTES},
    )


FIGURE = Figure(
    name="durable",
    title="Durable events, 64 in flight, against raw nats-py with JetStream",
    method=(
        f"10,000 events of {SAMPLE_BYTES} bytes by 64 coroutines, each awaiting the stream's acknowledgement, to a "
        "stream in files; another process handles and acknowledges each, ours in an @on coroutine, raw with "
        "`fetch(64)` and `ack`. From the first publish to the last event handled; what the stream then takes for "
        "unsettled counts as lost."
    ),
    sides=(Side("agentbus", ours), Side("nats-py", raw)),
    comparisons=(
        Comparison(
            title="durable events stored, delivered and acknowledged",
            measure="rate",
            unit="events/s",
            ours="agentbus",
            theirs="nats-py",
            bar=0.8,
            hoped=1.0,
        ),
        Comparison(
            title="durable events stored",
            measure="publish_rate",
            unit="events/s",
            ours="agentbus",
            theirs="nats-py",
        ),
    ),
)
