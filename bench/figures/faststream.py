"""Typed events against FastStream on NATS with pydantic models."""

from __future__ import annotations

from ..frame import Comparison, Figure, Ground, Measures, Side
from ..pairs import delivered
from .events import ours

PEER = "bench.sides.faststream_side"


async def faststream(ground: Ground) -> Measures:
    """FastStream."""
    python = ground.peers("faststream")
    common = {"url": ground.url, "subject": ground.fresh("faststream"), "count": ground.count(10_000, 1_000)}
    return await delivered(f"{PEER}:hear_events", common, f"{PEER}:publish_events", common, python)


FIGURE = Figure(
    name="faststream",
    title="Events delivered to an @on coroutine, against FastStream with pydantic models",
    method=(
        "As 'events'; FastStream publishes one pydantic model of the same fields 10,000 times to a subscriber that "
        "takes the model, its logger off."
    ),
    sides=(Side("agentbus", ours), Side("faststream", faststream)),
    comparisons=(
        Comparison(
            title="events delivered",
            measure="rate",
            unit="events/s",
            ours="agentbus",
            theirs="faststream",
            bar=30.0,
            hoped=60.0,
        ),
    ),
)
