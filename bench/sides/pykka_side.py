"""Pykka: an actor on a thread, asked from another thread of the process."""
# Pykka lives in a virtual environment of its own.
# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUntypedBaseClass=false, reportUnknownArgumentType=false, reportUnknownParameterType=false

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pykka

from ..child import Channel
from .samples import REQUEST_BYTES, octets


@dataclass(frozen=True, slots=True)
class Question:
    """A number and some bytes."""

    number: int
    body: bytes


class Echo(pykka.ThreadingActor):
    """Answers with what came."""

    def on_receive(self, message: Question) -> Question:
        return Question(message.number, message.body)


async def ask(channel: Channel, *, count: int, width: int, futures: bool = False) -> dict[str, Any]:
    """Asks `count` times, `width` at once: a thread each that waits for its answers, or `futures` of one thread."""
    actor = Echo.start()
    question = Question(123456, octets(REQUEST_BYTES - 6))
    run = _open_asks if futures else _threads
    run(actor, question, max(64, count // 10), width)
    channel.tell("ready")
    await channel.told()
    began = time.perf_counter()
    run(actor, question, count, width)
    rate = count / (time.perf_counter() - began)
    actor.stop()
    return {"rate": rate}


def _threads(actor: Any, question: Question, count: int, width: int) -> None:
    def lane(share: int) -> None:
        for _ in range(share):
            actor.ask(question)

    if width == 1:
        lane(count)
        return
    with ThreadPoolExecutor(width) as pool:
        for finished in [pool.submit(lane, count // width) for _ in range(width)]:
            finished.result()


def _open_asks(actor: Any, question: Question, count: int, width: int) -> None:
    """As soon as the oldest is answered, the next is asked."""
    asked: deque[Any] = deque()
    for _ in range(count):
        if len(asked) == width:
            asked.popleft().get()
        asked.append(actor.ask(question, block=False))
    for future in asked:
        future.get()
