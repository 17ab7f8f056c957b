"""Typed events to an `@on` coroutine, against raw nats-py handing bytes to a coroutine callback."""

from __future__ import annotations

from functools import partial

from ..frame import Comparison, Figure, Ground, Measures, Side
from ..pairs import delivered
from ..sides.samples import SAMPLE_BYTES

OURS = "bench.sides.ours"
RAW = "bench.sides.raw_nats"


async def ours(ground: Ground, built: bool = False) -> Measures:
    """agentbus. `built`: the message is made anew for each event."""
    realm, count = ground.fresh("events"), ground.count(300_000, 20_000)
    common = {"url": ground.url, "realm": realm, "count": count}
    return await delivered(f"{OURS}:hear_events", common, f"{OURS}:publish_events", {**common, "built": built})


async def raw(ground: Ground) -> Measures:
    """nats-py."""
    common = {"url": ground.url, "subject": ground.fresh("raw-events"), "count": ground.count(300_000, 20_000)}
    return await delivered(f"{RAW}:hear_events", common, f"{RAW}:publish_events", {**common, "size": SAMPLE_BYTES})


FIGURE = Figure(
    name="events",
    title="Events delivered to an @on coroutine, against raw nats-py",
    method=(
        f"300,000 protobuf messages of {SAMPLE_BYTES} bytes, `await node.publish(message)` in a loop, one publisher "
        "and one subscriber process; raw: `await nc.publish(subject, payload)` of as many ready bytes to a coroutine "
        "callback. The message is made once on both sides, ours serialized for each event; 'made anew' makes ours for "
        "each event too. From the first publish to the last handler call; all are counted. A subscriber may "
        "hold 524,288 waiting messages on both sides: nats-py's default, and ours set to it (it is 65,536)."
    ),
    sides=(Side("agentbus", ours), Side("nats-py", raw), Side("agentbus, made anew", partial(ours, built=True))),
    comparisons=(
        Comparison(
            title="events delivered",
            measure="rate",
            unit="events/s",
            ours="agentbus",
            theirs="nats-py",
            bar=2.0,
            hoped=3.0,
        ),
        Comparison(
            title="events delivered, each message made anew",
            measure="rate",
            unit="events/s",
            ours="agentbus, made anew",
            theirs="nats-py",
        ),
        Comparison(
            title="events published, not yet delivered",
            measure="publish_rate",
            unit="events/s",
            ours="agentbus",
            theirs="nats-py",
        ),
    ),
)
