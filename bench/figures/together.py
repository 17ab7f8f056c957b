"""Sixty-four requests at once, to one named agent and to any, against raw nats-py."""

from __future__ import annotations

from functools import partial

from ..frame import Comparison, Figure, Side
from . import asking

WIDTH = 64
COUNT = 30_000

FIGURE = Figure(
    name="together",
    title="64 requests at once, against raw nats-py",
    method=(
        "30,000 requests of 32 bytes by 64 coroutines, each asking again as soon as it is answered, to an agent in "
        "another process; to a named agent, and to any that answers the type (one frame a request)."
    ),
    sides=(
        Side("agentbus, named", partial(asking.ours, width=WIDTH, full=COUNT, to="echo")),
        Side("nats-py", partial(asking.raw, width=WIDTH, full=COUNT)),
        Side("agentbus, any", partial(asking.ours, width=WIDTH, full=COUNT, to=None)),
    ),
    comparisons=(
        Comparison(
            title="64 requests at once, to a named agent",
            measure="rate",
            unit="requests/s",
            ours="agentbus, named",
            theirs="nats-py",
            bar=1.2,
            hoped=2.0,
        ),
        Comparison(
            title="64 requests at once, to any agent",
            measure="rate",
            unit="requests/s",
            ours="agentbus, any",
            theirs="nats-py",
            bar=0.55,
            hoped=0.9,
        ),
    ),
)
