"""Requests over NATS, ours and raw: what the figures of requests share."""

from __future__ import annotations

from ..frame import Ground, Measures
from ..pairs import answered
from ..sides.samples import REQUEST_BYTES

OURS = "bench.sides.ours"
RAW = "bench.sides.raw_nats"


async def ours(ground: Ground, *, width: int, full: int, to: str | None) -> Measures:
    """agentbus: an agent that answers in one process, a node that asks in another."""
    common = {"url": ground.url, "realm": ground.fresh("ask")}
    asking = {"count": ground.count(full, 500), "width": width, "size": REQUEST_BYTES, "to": to}
    return await answered(f"{OURS}:answer_requests", common, f"{OURS}:ask", {**common, **asking})


async def raw(ground: Ground, *, width: int, full: int) -> Measures:
    """nats-py: `Msg.respond` in a coroutine callback, `Client.request`."""
    common = {"url": ground.url, "subject": ground.fresh("raw-ask")}
    asking = {"count": ground.count(full, 500), "width": width, "size": REQUEST_BYTES}
    return await answered(f"{RAW}:answer_requests", common, f"{RAW}:ask", {**common, **asking})
