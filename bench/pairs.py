"""Two processes against each other: one that waits for messages, one that sends them."""

from __future__ import annotations

import sys
from typing import Any

from .frame import Measures
from .processes import child

DEADLINE_S = 90.0


async def delivered(
    hear: str, hear_options: dict[str, Any], send: str, send_options: dict[str, Any], python: str = sys.executable
) -> Measures:
    """Starts a hearer and a sender; the rate at which all messages arrived, from the first sent to the last heard.

    Args:
        hear, send: sides, see `bench.child`; `hear_options` has the ``count``.

    Raises:
        ChildFailed: either of them failed.
    """
    count = int(hear_options["count"])
    async with (
        child(hear, hear_options, python=python, deadline_s=DEADLINE_S) as hearer,
        child(send, send_options, python=python, deadline_s=DEADLINE_S) as sender,
    ):
        await hearer.expect("ready")
        await sender.expect("ready")
        sender.tell(go=True)
        sent = await sender.expect("done")
        heard = await hearer.expect("done")
    lost = count - int(heard["count"]) + int(heard.get("unsettled", 0))
    seconds = float(heard["last_s"]) - float(sent["began_s"])
    return {"rate": float(heard["count"]) / seconds, "publish_rate": count / float(sent["took_s"]), "lost": float(lost)}


async def answered(answer: str, answer_options: dict[str, Any], ask: str, ask_options: dict[str, Any]) -> Measures:
    """Starts one that answers and one that asks; what the asker measured. Raises `ChildFailed`."""
    async with child(answer, answer_options, deadline_s=DEADLINE_S) as answerer:
        await answerer.expect("ready")
        done = await alone(ask, ask_options)
        answerer.tell(stop=True)
        await answerer.expect("done")
    return done


async def alone(target: str, options: dict[str, Any], python: str = sys.executable) -> Measures:
    """Starts one process that measures itself; tells it to go when it is ready. Raises `ChildFailed`."""
    async with child(target, options, python=python, deadline_s=DEADLINE_S) as only:
        heard = await only.hear()
        if heard["word"] == "ready":
            only.tell(go=True)
            heard = await only.expect("done")
    return {name: float(value) for name, value in heard.items() if name != "word"}
