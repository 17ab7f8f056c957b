"""Half-space trees: how abnormal is a record, given how many records of the last window lay where it lies?

The model is river's `anomaly.HalfSpaceTrees` behind its `MinMaxScaler`, bit for bit (a test compares them), on flat
tables instead of linked nodes: a tree is grown from the seed before anything is seen and never changes, so the state is
two tables of masses, one number a leaf; the mass of an inner node is the sum of its leaves'.

Reference: S. C. Tan, K. M. Ting, T. F. Liu, "Fast Anomaly Detection for Streaming Data", IJCAI 2011: Algorithm 2
(windows), section 3.3 (scoring, the size limit).
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from .codec import Reader, Writer
from .model import BadRecord, SnapshotInvalid, Value

PADDING = 0.15
"""A cut keeps this share of its node's range away from the ends: river's."""
SIZE_LIMIT = 0.1
"""A node with less than this share of a window's records is not looked into (the paper's)."""


@dataclass(frozen=True, slots=True)
class Forest:
    """The trees' structure: for each inner node, numbered over all trees, the feature it asks and where it cuts."""

    features: tuple[int, ...]
    cuts: tuple[float, ...]


@lru_cache(maxsize=32)
def grow(features: int, trees: int, height: int, seed: int) -> Forest:
    """Trees over the unit cube, equal for equal arguments; as river grows them."""
    chance = random.Random(seed)
    inner = (1 << height) - 1
    chosen = [0] * (trees * inner)
    cuts = [0.0] * (trees * inner)
    names = range(features)

    def split(base: int, node: int, space: list[tuple[float, float]]) -> None:
        if node >= inner:
            return
        on = chance.choices(names, weights=[high - low for low, high in space])[0]
        low, high = space[on]
        at = chance.uniform(low + PADDING * (high - low), high - PADDING * (high - low))
        chosen[base + node], cuts[base + node] = on, at
        for child, half in ((2 * node + 1, (low, at)), (2 * node + 2, (at, high))):
            space[on] = half
            split(base, child, space)
        space[on] = (low, high)

    for tree in range(trees):
        split(tree * inner, 0, [(0.0, 1.0)] * features)
    return Forest(tuple(chosen), tuple(cuts))


class HalfSpaceTrees:
    """River's half-space trees, scaled to the range seen so far. The first window is scored 0.

    A value that is NaN or infinite counts as missing: it falls to the side where more of this window's records are.

    Args:
        trees: how many; the time of a record and the size of the state grow with it.
        height: of each; a tree has ``2**height`` leaves.
        window: records after which the masses counted become those that scores are made from; 65,535 at most.
        seed: equal seeds make equal trees.
    """

    NAME = "half-space-trees"
    VERSION = 1

    def __init__(self, *, trees: int = 25, height: int = 8, window: int = 250, seed: int = 0) -> None:
        if not (trees >= 1 and 1 <= height <= 15 and 1 <= window <= 65_535):
            raise BadRecord("half-space trees need trees >= 1, height 1 to 15 and window 1 to 65,535")
        self._shape = (trees, height, window, seed)
        self._names: tuple[str, ...] | None = None
        self._begin(0)

    def _begin(self, features: int) -> None:
        trees, height, window, seed = self._shape
        self._forest = grow(features, trees, height, seed) if features else Forest((), ())
        self._low = [math.inf] * features
        self._high = [-math.inf] * features
        self._inner = (1 << height) - 1
        self._leaves = 1 << height
        self._learned = [0] * (trees * self._leaves)
        self._reference: list[int] | None = None
        self._masses: list[int] = []
        self._counter = 0
        self._most = trees * window * ((1 << (height + 1)) - 1)

    def score(self, timestamp_s: float, value: Value, /) -> float:
        """See `Detector.score`. The time plays no part."""
        record = self._numbers(value)
        scaled = self._scale(record)
        trees = self._shape[0]
        inner, width = self._inner, self._leaves
        features, cuts, learned, masses = self._forest.features, self._forest.cuts, self._learned, self._masses
        whole = all(map(math.isfinite, scaled))
        total = 0
        for tree in range(trees):
            base = tree * inner
            node = 0
            if whole:
                while node < inner:
                    node = 2 * node + (2 if scaled[features[base + node]] >= cuts[base + node] else 1)
            else:
                node = self._walk_with_gaps(tree, scaled)
            leaf = tree * width + node - inner
            if masses:
                total += masses[leaf]
            learned[leaf] += 1
        self._counter += 1
        scored = bool(masses)
        if self._counter == self._shape[2]:
            self._turn()
        return 1.0 - total / self._most if scored else 0.0

    def snapshot(self) -> bytes:
        """See `Detector.snapshot`. Two bytes a leaf and table: 26 KB with 25 trees of height 8."""
        out = Writer(self.NAME, self.VERSION)
        out.whole(*self._shape, self._counter)
        names = self._names
        out.text("\n".join(names) if names is not None else "")
        out.whole(names is not None)
        out.reals(self._low)
        out.reals(self._high)
        out.counts(self._learned)
        out.counts(self._reference or ())
        return out.done()

    def restore(self, snapshot: bytes, /) -> None:
        """See `Detector.restore`. The trees' number, height, window and seed must be those of the snapshot."""
        source = Reader(snapshot, self.NAME, self.VERSION)
        shape = (source.whole(), source.whole(), source.whole(), source.whole())
        if shape != self._shape:
            raise SnapshotInvalid(
                f"a snapshot of half-space trees of (trees, height, window, seed) {shape}, not {self._shape}: "
                "restore it with a detector made so"
            )
        counter = source.whole()
        names, named = source.text(), bool(source.whole())
        low, high, learned, reference = source.reals(), source.reals(), source.counts(), source.counts()
        source.done()
        leaves = shape[0] << shape[1]
        if len(low) != len(high) or len(learned) != leaves or len(reference) not in {0, leaves}:
            raise SnapshotInvalid("a snapshot of half-space trees whose tables have the wrong size: use an earlier one")
        self._names = tuple(names.split("\n")) if named else None
        self._begin(len(low))
        self._low, self._high, self._learned, self._counter = low, high, learned, counter
        if reference:
            self._refer_to(reference)

    def _numbers(self, value: Value) -> Sequence[float]:
        if isinstance(value, Mapping):
            if not self._low:
                self._names = tuple(sorted(value))
                self._begin(len(self._names))
            names = self._names
            if names is None or not value.keys() <= set(names):
                raise BadRecord(f"a record of {sorted(value)}, after records of {names or len(self._low)}")
            return [value.get(name, math.nan) for name in names]
        record = value if isinstance(value, Sequence) else (value,)
        if not self._low and record:
            self._begin(len(record))
        if len(record) != len(self._low) or not record or self._names is not None:
            raise BadRecord(f"a record of {len(record)} values, after records of {self._names or len(self._low)}")
        return record

    def _scale(self, record: Sequence[float]) -> list[float]:
        """Learns the range of each feature, and maps it to 0 to 1."""
        lows, highs = self._low, self._high
        scaled: list[float] = []
        for place, value in enumerate(record):
            low, high = lows[place], highs[place]
            if not low <= value <= high and math.isfinite(value):
                lows[place] = low = min(low, value)
                highs[place] = high = max(high, value)
            width = high - low
            scaled.append((value - low) / width if width else 0.0 if math.isfinite(value) else math.nan)
        return scaled

    def _walk_with_gaps(self, tree: int, scaled: Sequence[float]) -> int:
        """The leaf of a record some of whose values are missing."""
        inner, start = self._inner, tree * self._leaves
        masses = _masses(self._learned[start : start + self._leaves])
        node = 0
        while node < inner:
            value = scaled[self._forest.features[tree * inner + node]]
            left = 2 * node + 1
            if math.isfinite(value):
                node = left + (value >= self._forest.cuts[tree * inner + node])
            else:
                node = left + (masses[left] < masses[left + 1])
        return node

    def _turn(self) -> None:
        """What was learned is what scores are made from; and begin to learn anew."""
        self._refer_to(self._learned)
        self._learned = [0] * len(self._learned)
        self._counter = 0

    def _refer_to(self, learned: list[int]) -> None:
        """For each leaf, what a record that ends there adds: the masses on its way, each counting twice its parent's,
        down to the first node that is nearly empty."""
        trees, height, window, _ = self._shape
        least = SIZE_LIMIT * window
        self._reference = learned
        self._masses = []
        for tree in range(trees):
            masses = _masses(learned[tree * self._leaves : (tree + 1) * self._leaves])
            level = [masses[0]]
            for depth in range(1, height + 1):
                first = (1 << depth) - 1
                level = [
                    level[at >> 1] + (masses[first + at] << depth if masses[(first + at - 1) >> 1] >= least else 0)
                    for at in range(1 << depth)
                ]
            self._masses += level


def _masses(leaves: list[int]) -> list[int]:
    """The mass of each node of a tree, from those of its leaves."""
    inner = len(leaves) - 1
    masses = [0] * inner + leaves
    for node in range(inner - 1, -1, -1):
        masses[node] = masses[2 * node + 1] + masses[2 * node + 2]
    return masses
