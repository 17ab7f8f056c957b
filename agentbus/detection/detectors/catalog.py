"""The detectors by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from .entropy import RelativeEntropy
from .ewma import ZScore
from .model import Detector, UnknownDetector
from .ranges import DayOutOfRange, MeanOutOfRange, OutOfRange
from .river_models import gaussian
from .together import EachValue, best, default
from .trees import HalfSpaceTrees

DETECTORS: Mapping[str, Callable[[], Detector]] = MappingProxyType(
    {
        "default": default,
        "best": best,
        "range": OutOfRange,
        "mean-range": MeanOutOfRange,
        "day-range": DayOutOfRange,
        "ewma": ZScore,
        "entropy": RelativeEntropy,
        "half-space-trees": HalfSpaceTrees,
        "river-gaussian": gaussian,
    }
)
"""Name and factory of each."""
OF_SEVERAL = frozenset({"half-space-trees"})
"""Those that look at all values of a record together."""


def make(name: str, values: int = 1) -> Detector:
    """The detector of that name, for records of so many values: of those that score one number, one for each.

    Raises:
        UnknownDetector: there is none.
        ExtraMissing: it needs a package that isn't installed.
    """
    factory = DETECTORS.get(name)
    if factory is None:
        raise UnknownDetector(f"no detector is called {name!r}; there are {', '.join(DETECTORS)}")
    return factory() if values == 1 or name in OF_SEVERAL else EachValue(factory)
