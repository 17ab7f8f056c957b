"""The comparisons as one self-contained HTML page with an SVG: how far each is from its bar, on a logarithmic axis.

A value is shown as a multiple of its bar, turned over where less is better: to the right of 1 the bar is met.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import log
from typing import Any

from .frame import Comparison, Outcome, Row
from .table import bar, spread

LABEL = 330
WIDTH = 520
STEP = 34
LEAST, GREATEST = 0.25, 8.0
COLOURS = {"hoped": "#1a7f37", "met": "#4c9a2a", "missed": "#c62828", "lost": "#c62828"}


def page(outcomes: Sequence[Outcome], about: dict[str, Any], preliminary: bool) -> str:
    """The page."""
    rows = [row for outcome in outcomes for row in outcome.rows if row.comparison.bar is not None]
    height = STEP * (len(rows) + 2)
    marks = "".join(_tick(at, height) for at in (0.25, 0.5, 1.0, 2.0, 4.0, 8.0))
    lines = "".join(_line(row, STEP * (place + 1)) for place, row in enumerate(rows))
    facts = escape(f"{about['when']}, {about['machine']}, {about['cores']} cores, {about['python']}")
    warned = "<p><b>Others used the machine: the numbers are preliminary.</b></p>" if preliminary else ""
    methods = "".join(f"<dt>{escape(o.figure.title)}</dt><dd>{escape(o.figure.method)}</dd>" for o in outcomes)
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>agentbus, compared</title>"
        "<style>body{font:14px sans-serif;margin:2em;max-width:72em}dt{font-weight:bold;margin-top:.6em}</style>"
        f"<h1>agentbus, compared</h1><p>{facts}; nats-server {escape(about['nats-server'])}</p>{warned}"
        "<p>How far each is from its bar: right of 1, the bar is met. The dot is the median of the rounds, the line "
        "goes from the least to the greatest, the tick is what is hoped.</p>"
        f'<svg viewBox="0 0 {LABEL + WIDTH + 260} {height}" role="img">{marks}{lines}</svg>'
        f"<h2>How it was measured</h2><dl>{methods}</dl></html>\n"
    )


def _x(multiple: float) -> float:
    clipped = min(GREATEST, max(LEAST, multiple))
    return LABEL + WIDTH * log(clipped / LEAST) / log(GREATEST / LEAST)


def _multiple(value: float, asked: Comparison) -> float:
    """How many times the bar; turned over where less is better."""
    assert asked.bar is not None
    return value / asked.bar if asked.better == "more" else asked.bar / max(value, 1e-9)


def _tick(multiple: float, height: int) -> str:
    x, colour = _x(multiple), "#333" if multiple == 1.0 else "#ccc"
    return (
        f'<line x1="{x:.0f}" x2="{x:.0f}" y1="14" y2="{height - 24}" stroke="{colour}"/>'
        f'<text x="{x:.0f}" y="{height - 8}" font-size="11" text-anchor="middle">{multiple:g}x its bar</text>'
    )


def _line(row: Row, y: int) -> str:
    asked = row.comparison
    name = f'<text x="{LABEL - 10}" y="{y + 4}" font-size="12" text-anchor="end">{escape(asked.title)}</text>'
    told = row.judged
    if told is None:
        return f'{name}<text x="{LABEL + 10}" y="{y + 4}" font-size="12" fill="#777">{escape(row.verdict)}</text>'
    ends = sorted(_x(_multiple(value, asked)) for value in (told.least, told.greatest))
    colour = COLOURS.get(row.verdict, "#777")
    dot = _x(_multiple(told.median, asked))
    hoped = _x(_multiple(asked.hoped, asked)) if asked.hoped else None
    tick = f'<line x1="{hoped:.0f}" x2="{hoped:.0f}" y1="{y - 7}" y2="{y + 7}" stroke="#888"/>' if hoped else ""
    text = escape(f"{spread(told)}   {bar(row)}")
    return (
        f'{name}{tick}<line x1="{ends[0]:.1f}" x2="{ends[1]:.1f}" y1="{y}" y2="{y}" stroke="{colour}" '
        f'stroke-width="3"/><circle cx="{dot:.1f}" cy="{y}" r="5" fill="{colour}"/>'
        f'<text x="{LABEL + WIDTH + 14}" y="{y + 4}" font-size="11">{text}</text>'
    )
