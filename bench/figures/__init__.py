"""The figures, one module each."""

from __future__ import annotations

from ..frame import Figure
from . import drain, durable, events, faststream, imports, inprocess, jobs, many, requests, together

FIGURES: tuple[Figure, ...] = (
    events.FIGURE,
    faststream.FIGURE,
    requests.FIGURE,
    together.FIGURE,
    durable.FIGURE,
    inprocess.FIGURE,
    many.FIGURE,
    imports.FIGURE,
    jobs.FIGURE,
    drain.FIGURE,
)
