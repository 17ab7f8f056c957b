"""Half-space trees: how abnormal is a record, given how many records of the last window lay where it lies?

Each tree cuts the space of records in half, and the halves again, along random channels. The *mass* of a node is the
number of records of one window that fell into its half-space; an abnormal record ends in nodes of little mass. Trees
are made from a seed before any data is seen, so equal seeds give equal trees, and the masses that two processes
counted in theirs can be added: that is what makes sharing exact.

Reference: S. C. Tan, K. M. Ting, T. F. Liu, "Fast Anomaly Detection for Streaming Data", IJCAI 2011: the work space,
Algorithm 1 (building) and section 3.3 (scoring, the size limit).
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Paths = list[Counts]
"""For each depth, root first: the node of each record (row) in each tree (column), numbered as in a binary heap."""

TREES = 50
HEIGHT = 8
WINDOW = 250
"""Records in a window."""
SEED = 0
SIZE_LIMIT = 0.1
"""A node with less than this share of a window's records is not looked into."""
LEAVES = 2**HEIGHT
NODES = 2 * LEAVES - 1
MOST = TREES * WINDOW * NODES
"""The greatest sum of masses: every record of the window in one leaf of every tree."""


@dataclass(frozen=True, slots=True)
class Ranges:
    """The least and the greatest value of each channel."""

    low: Floats
    high: Floats

    @classmethod
    def of(cls, records: Floats) -> Ranges:
        """Of one record at least."""
        return cls(records.min(axis=0), records.max(axis=0))

    def __or__(self, other: Ranges) -> Ranges:
        return Ranges(np.minimum(self.low, other.low), np.maximum(self.high, other.high))

    def scale(self, records: Floats) -> Floats:
        """Maps the range of each channel to 0 to 1; a channel that never changed to 0."""
        width = self.high - self.low
        return (records - self.low) / np.where(width > 0, width, 1.0)


class Forest:
    """The trees' structure. It never changes; what is learned is a table of masses.

    Args:
        channels: values of a record.
        seed: equal seeds make equal trees.
    """

    def __init__(self, channels: int, seed: int = SEED) -> None:
        inner = LEAVES - 1
        self._channel = np.zeros((TREES, inner), dtype=np.int64)
        self._cut = np.zeros((TREES, inner))
        self._tree = np.arange(TREES)
        chance = random.Random(seed)
        for tree in range(TREES):
            space: list[tuple[float, float]] = []
            for _ in range(channels):
                centre = chance.random()
                reach = 2 * max(centre, 1 - centre)
                space.append((centre - reach, centre + reach))
            self._grow(tree, 0, space, chance)

    def _grow(self, tree: int, node: int, space: list[tuple[float, float]], chance: random.Random) -> None:
        if node >= LEAVES - 1:
            return
        channel = chance.randrange(len(space))
        low, high = space[channel]
        middle = (low + high) / 2
        self._channel[tree, node], self._cut[tree, node] = channel, middle
        for child, half in ((2 * node + 1, (low, middle)), (2 * node + 2, (middle, high))):
            self._grow(tree, child, [*space[:channel], half, *space[channel + 1 :]], chance)

    def walk(self, scaled: Floats) -> Paths:
        """The way of each record down each tree."""
        row = np.arange(len(scaled))[:, None]
        node = np.zeros((len(scaled), TREES), dtype=np.int64)
        paths = [node]
        for _ in range(HEIGHT):
            above = scaled[row, self._channel[self._tree, node]] >= self._cut[self._tree, node]
            node = 2 * node + 1 + above
            paths.append(node)
        return paths

    def count(self, paths: Paths) -> Counts:
        """How many records ended in each leaf: one row a tree."""
        place = self._tree * LEAVES + (paths[-1] - (LEAVES - 1))
        return np.bincount(place.ravel(), minlength=TREES * LEAVES).reshape(TREES, LEAVES)

    def score(self, paths: Paths, masses: Counts) -> Floats:
        """From 0, as normal as can be, to 1. A node's mass counts twice as much as its parent's, down to the first
        node that is nearly empty."""
        total = np.zeros(paths[0].shape)
        going_on = np.ones(paths[0].shape, dtype=bool)
        for depth, node in enumerate(paths):
            mass = masses[self._tree, node]
            total += np.where(going_on, mass * 2**depth, 0)
            going_on &= mass >= SIZE_LIMIT * WINDOW
        return 1.0 - total.sum(axis=1) / MOST


def masses(leaves: Counts) -> Counts:
    """The mass of every node, from the leaves' up: a node's is the sum of its children's."""
    levels = [leaves]
    while levels[0].shape[1] > 1:
        below = levels[0]
        levels.insert(0, below[:, 0::2] + below[:, 1::2])
    return np.concatenate(levels, axis=1)
