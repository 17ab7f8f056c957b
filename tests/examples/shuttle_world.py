"""What one detector that sees all records would say, without any agents: the measure of the distributed ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from examples.shuttle.forest import SEED, WINDOW, Forest, Ranges, masses


def scores_of_one(records: NDArray[np.float64], seed: int = SEED) -> NDArray[np.float64]:
    """Window by window: scored against the window before, scaled by all windows before."""
    forest = Forest(records.shape[1], seed)
    scores = np.zeros(len(records))
    table = ranges = None
    for first in range(0, len(records), WINDOW):
        window = records[first : first + WINDOW]
        paths = forest.walk((ranges or Ranges.of(window)).scale(window))
        if table is not None:
            scores[first : first + WINDOW] = forest.score(paths, table)
        table = masses(forest.count(paths))
        ranges = Ranges.of(window) if ranges is None else ranges | Ranges.of(window)
    return scores
