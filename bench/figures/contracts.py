"""Jobs delegated a second, against the same exchange on raw nats-py."""

from __future__ import annotations

from functools import partial

from ..frame import Comparison, Figure, Ground, Measures, Side
from ..pairs import answered

SIDE = "bench.sides.contracts"


async def ours(ground: Ground, *, width: int, full: int, apart: bool) -> Measures:
    """agentbus: `delegate`, to agents with a policy in another process."""
    common = {"url": ground.url, "realm": ground.fresh("deal")}
    asking = {"count": ground.count(full, 100), "width": width}
    return await answered(f"{SIDE}:bid", {**common, "apart": apart}, f"{SIDE}:delegate", {**common, **asking})


async def raw(ground: Ground, *, width: int, full: int, apart: bool) -> Measures:
    """nats-py: the same messages in the same order."""
    common = {"url": ground.url, "realm": ground.fresh("raw-deal")}
    asking = {"count": ground.count(full, 100), "width": width}
    return await answered(f"{SIDE}:raw_bid", {**common, "apart": apart}, f"{SIDE}:raw_delegate", {**common, **asking})


def _sides(what: str, width: int, full: int, apart: bool) -> tuple[tuple[Side, Side], Comparison]:
    mine, theirs = f"agentbus, {what}", f"nats-py, {what}"
    sides = (
        Side(mine, partial(ours, width=width, full=full, apart=apart)),
        Side(theirs, partial(raw, width=width, full=full, apart=apart)),
    )
    return sides, Comparison(title=what, measure="rate", unit="jobs/s", ours=mine, theirs=theirs, bar=0.7)


_PAIRS = [
    _sides(f"{how}, {where}", width, full, apart)
    for how, width, full in (("one at a time", 1, 1500), ("64 at once", 64, 6000))
    for where, apart in (("8 bidders on one connection", False), ("8 bidders on one each", True))
]

FIGURE = Figure(
    name="contracts",
    title="Jobs delegated, 8 bidders and one buyer, against raw nats-py",
    method=(
        "A job is a call, 8 bids, an award, a result and 7 rejections, 18 publishes, with replies awaited: by one "
        "buyer in a process, 8 bidders in another, on one connection or on one each. One at a time the rate is that of "
        "the median job. In nats-py the bodies are a few bytes of text; ours are typed, logged at level info, checked, "
        "noted for `agentbus why`, and each has its deadline. Ours takes fewer publishes: one rejection for all, and "
        "the bids of one node in one frame. Of 64 at once ours share frames."
    ),
    sides=tuple(side for sides, _ in _PAIRS for side in sides),
    comparisons=tuple(comparison for _, comparison in _PAIRS),
)
