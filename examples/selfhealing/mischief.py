"""What can be wrong with an agent that goes on running: it lies, it poisons, it slows down.

The demo switches it on from outside; the library knows nothing of it.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from .scoring import Learner, scores_of, unpack

FIRST_BLOCK_S, LAST_BLOCK_S, GROWTH, BREATH_S = 0.05, 0.45, 1.25, 0.02
"""A slow agent's event loop is blocked for so long at first, at last, so many times longer each time, with so much
time between. Not so long that it is taken for dead: that is another fault."""


class Mischief:
    """One process's: none until it is switched on, and gone when the process is.

    Attributes:
        share: of the records of its own shards that it lies about, 0 to 1.
        poison: whether its checkpoints are wrong.
        accuse: whether it takes others' work for wrong.
    """

    def __init__(self) -> None:
        self.share = 0.0
        self.poison = False
        self.accuse = False
        self._slowing: asyncio.Task[None] | None = None

    def lie(self, facts: Mapping[str, Any]) -> None:
        """Begins to lie."""
        self.poison = bool(facts["poison"])
        self.accuse = bool(facts["accuse"])
        self.share = 0.0 if self.poison else float(facts["share"])

    def slow(self) -> None:
        """Begins to be slow."""
        self._slowing = asyncio.get_running_loop().create_task(_burn(), name="slow down")

    def results(self, batch: bytes, result: bytes, own: bool) -> bytes:
        """The scores that are told. The same records are lied about each time, so that even a liar is consistent."""
        if not (own or self.accuse) or not (self.share or self.accuse):
            return result
        share = self.share if own else 1.0
        first, scores = unpack(batch).first, scores_of(result).copy()
        wrong = [_drawn(first + offset) < share for offset in range(len(scores))]
        return np.where(wrong, 1.0 - scores, scores).astype("<f8").tobytes()

    def state(self, state: Learner, own: bool) -> Learner:
        """The state that is saved."""
        if not (own and self.poison):
            return state
        leaves = np.roll(state.leaves, 1, axis=1)
        return Learner(state.shard, state.counted, leaves, state.last, state.masses, state.ranges)


def _drawn(record: int) -> float:
    """Uniform in [0, 1), the same for a record each time."""
    return int.from_bytes(hashlib.blake2b(record.to_bytes(8, "big"), digest_size=6).digest(), "big") / 2.0**48


async def _burn() -> None:
    """Blocks the event loop, longer and longer."""
    block_s = FIRST_BLOCK_S
    while True:
        until_s = time.perf_counter() + block_s
        while time.perf_counter() < until_s:
            pass
        block_s = min(LAST_BLOCK_S, block_s * GROWTH)
        await asyncio.sleep(BREATH_S)
