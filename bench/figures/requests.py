"""One request at a time, against raw nats-py's `request`."""

from __future__ import annotations

from functools import partial

from ..frame import Comparison, Figure, Side
from . import asking

FIGURE = Figure(
    name="requests",
    title="One request at a time, against raw nats-py",
    method=(
        "5,000 requests of 32 bytes, one after the other, to an agent in another process that answers with as many; "
        "raw: bytes of the same size. The median of the times of one run."
    ),
    sides=(
        Side("agentbus", partial(asking.ours, width=1, full=5_000, to="echo")),
        Side("nats-py", partial(asking.raw, width=1, full=5_000)),
    ),
    comparisons=(
        Comparison(
            title="one request, p50",
            measure="p50_us",
            unit="us",
            ours="agentbus",
            theirs="nats-py",
            better="less",
            bar=1.25,
            hoped=1.1,
        ),
    ),
)
