"""What the detectors share: profiles of parts of a window, which add up to the reference for the next window.

A part's profile is how many of its records fell into each leaf, and the range of each channel. Whoever has heard the
profiles of all parts of window w has reference w; all who have it have the same. Records of window w + 1 are scored
against it, so that a score depends on the data only: not on who scored the record, nor on how many there were, nor
on when. The first window is one part, since nobody knows yet how to scale; its records score 0.

Invariant: a `Book` holds at most one reference, that of the newest complete window, and the parts of the next one.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import numpy as np

from agentbus import Agent, Context, Refused, on, rpc

from .forest import LEAVES, TREES, Counts, Forest, Paths, Ranges, masses
from .v1.shuttle_pb2 import Batch, Profile, Reference, ReferenceRequest

PARTS = 4
"""Batches that a window is cut into: how many detectors can be at work at once."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What there is to know when a window is complete: its masses, and the ranges of all windows so far."""

    window: int
    leaves: Counts
    masses: Counts
    ranges: Ranges


class Book:
    """Collects the profiles of one window after another."""

    def __init__(self) -> None:
        self.learned: Learned | None = None
        self._parts: dict[int, Profile] = {}
        self._complete = asyncio.Event()

    @property
    def window(self) -> int:
        """The newest complete window, -1 before the first."""
        return -1 if self.learned is None else self.learned.window

    @property
    def parts(self) -> frozenset[int]:
        """The parts of the next window that are known."""
        return frozenset(self._parts)

    def add(self, profile: Profile) -> bool:
        """Notes a part of the next window; any other is ignored. Whether the window is complete now."""
        if profile.window != self.window + 1:
            return False
        self._parts[profile.part] = profile
        if len(self._parts) < profile.parts:
            return False
        parts = list(self._parts.values())
        ranges = [Ranges(np.array(part.low), np.array(part.high)) for part in parts]
        for each in ranges[1:]:
            ranges[0] |= each
        if self.learned is not None:
            ranges[0] |= self.learned.ranges
        leaves = sum((read_leaves(part.leaves, "<u2") for part in parts), np.zeros((TREES, LEAVES), dtype=np.int64))
        self.turn_to(Learned(profile.window, leaves, masses(leaves), ranges[0]))
        return True

    def turn_to(self, learned: Learned) -> None:
        """A window has become complete."""
        self.learned = learned
        self._parts = {}
        self._complete.set()
        self._complete = asyncio.Event()

    async def wait(self, window: int, timeout_s: float) -> bool:
        """Whether the window is complete, at the latest after `timeout_s` seconds."""
        try:
            async with asyncio.timeout(timeout_s):
                while self.window < window:
                    await self._complete.wait()
        except TimeoutError:
            return False
        return True


def profile_of(batch: Batch, forest: Forest, paths: Paths, ranges: Ranges) -> Profile:
    """The profile of a batch whose records took these paths."""
    return Profile(
        window=batch.window,
        part=batch.part,
        parts=batch.parts,
        leaves=forest.count(paths).astype("<u2").tobytes(),
        low=ranges.low,
        high=ranges.high,
    )


def read_leaves(data: bytes, kind: str) -> Counts:
    """The leaves' counts, one row a tree. Raises `ValueError` for any other size."""
    return np.frombuffer(data, dtype=kind).reshape(TREES, LEAVES).astype(np.int64)


class Learner(Agent):
    """Keeps the book: hears every profile, and tells whoever missed some. The feeder and the detectors are learners.

    Profiles are live events, lost to whoever is not connected; `catch_up` closes the gap.
    """

    def __init__(self) -> None:
        self.book = Book()

    @on(Profile)
    async def hear(self, profile: Profile, ctx: Context) -> None:
        """Adds what another saw, or I."""
        self.book.add(profile)

    @rpc(ReferenceRequest, Reference)
    async def tell(self, request: ReferenceRequest, ctx: Context) -> Reference:
        """Tells the newest reference, if it is the one asked for."""
        learned = self.book.learned
        if learned is None or learned.window != request.window:
            raise Refused(f"the newest window I know is {self.book.window}")
        return Reference(
            window=learned.window,
            leaves=learned.leaves.astype("<u4").tobytes(),
            low=learned.ranges.low,
            high=learned.ranges.high,
        )

    async def catch_up(self, window: int, ctx: Context) -> bool:
        """Asks all others for a window's reference; whether one had it."""
        answers = await ctx.gather(Learner.tell, ReferenceRequest(window=window), timeout_s=1.0, at_most=1)
        for answer in answers:
            reference = answer.message
            if reference.window > self.book.window:
                leaves = read_leaves(reference.leaves, "<u4")
                ranges = Ranges(np.array(reference.low), np.array(reference.high))
                self.book.turn_to(Learned(reference.window, leaves, masses(leaves), ranges))
        return self.book.window >= window
