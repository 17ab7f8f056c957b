"""What a load test tells: tables, JSON, and a page with the latencies' curve and the seconds."""

from __future__ import annotations

from dataclasses import asdict
from html import escape
from math import log10
from typing import Any

from rich.console import Console
from rich.table import Table

from .conductor import Result
from .latency import PERCENTILES, Latencies

WIDTH, HEIGHT, LEFT = 760, 260, 70


def document(result: Result, about: dict[str, Any]) -> dict[str, Any]:
    """Everything found, for JSON."""
    limit = result.limit
    return {
        "about": about,
        "settings": asdict(result.settings),
        "totals": {
            "due": result.due,
            "sent": result.sent,
            "received": result.received,
            "distinct": result.distinct,
            "answered": result.answered,
            "lost": result.lost,
            "dropped by full mailboxes": result.dropped,
            "duplicates": result.received - result.distinct,
            "failures": dict(result.failures),
            "discrepancies": result.discrepancies(),
        },
        "message bytes": result.bytes,
        "rate sent": result.sent / max(result.took_s, 1e-9),
        "rate delivered": result.delivered / max(result.took_s, 1e-9),
        "latency since due, ms": result.since_due.summary(),
        "latency since sent, ms": result.since_sent.summary(),
        "delivered by the second": {str(second): result.seconds[second] for second in sorted(result.seconds)},
        "limit": {"who": limit.who, "text": limit.text},
        "generators": [asdict(one) for one in result.generators],
        "agents' processes": [asdict(one) for one in result.targets],
    }


def show(console: Console, result: Result) -> None:
    """Prints it."""
    settings, took = result.settings, max(result.took_s, 1e-9)
    asked = f"{settings.rate:,.0f}/s" if settings.rate else "as fast as possible"
    console.print(
        f"{settings.pattern}, {asked}, {result.bytes} bytes, {settings.agents} agents, "
        f"{settings.processes} generators, {settings.duration_s:g} s, {settings.url}",
        markup=False,
        soft_wrap=True,
    )
    table = Table("latency, ms", *(f"p{percentile:g}" for percentile in PERCENTILES), "max")
    heading = "since it was due" if settings.rate else "since it was sent (no schedule: not corrected)"
    table.add_row(heading, *(f"{value:,.3f}" for value in result.since_due.summary().values()))
    if settings.rate:
        table.add_row("since it was sent", *(f"{value:,.3f}" for value in result.since_sent.summary().values()))
    console.print(table)
    failures = ", ".join(f"{count} {kind}" for kind, count in sorted(result.failures.items())) or "none"
    for line in (
        f"sent {result.sent:,} of {result.due:,} ({result.sent / took:,.0f}/s), "
        f"delivered {result.delivered:,} ({result.delivered / took:,.0f}/s)",
        f"lost {result.lost:,}, {result.dropped:,} dropped by full mailboxes, "
        f"{result.received - result.distinct:,} duplicates; errors: {failures}",
        *(f"THE TOTALS DO NOT ADD UP: {text}" for text in result.discrepancies()),
        result.limit.text,
    ):
        console.print(line, markup=False, soft_wrap=True)


def page(result: Result, about: dict[str, Any]) -> str:
    """A self-contained HTML page."""
    settings = result.settings
    told = escape(
        f"{settings.pattern}, {f'{settings.rate:,.0f}/s' if settings.rate else 'no rate'}, {result.bytes} bytes, "
        f"{settings.agents} agents, {settings.url}; {about['machine']}, {about['cores']} cores, {about['when']}"
    )
    greatest = max(result.since_due.at(100.0), result.since_sent.at(100.0)) * 1e3
    curves = _curve(result.since_due, "#c62828", greatest) + _curve(result.since_sent, "#777", greatest)
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>agentbus load test</title>"
        "<style>body{font:14px sans-serif;margin:2em;max-width:60em}</style><h1>agentbus load test</h1>"
        f"<p>{told}</p><p><b>{escape(result.limit.text)}</b></p>"
        "<h2>Latency by percentile</h2><p>Red: since the message was due. Grey: since it was sent.</p>"
        f'<svg viewBox="0 0 {WIDTH + 40} {HEIGHT + 40}">{_axes(greatest)}{curves}</svg>'
        f'<h2>Delivered by the second</h2><svg viewBox="0 0 {WIDTH + 40} {HEIGHT + 40}">{_bars(result)}</svg></html>\n'
    )


def _x(percentile: float) -> float:
    """One nine each step: 0, 90, 99, 99.9, ..."""
    return LEFT + (WIDTH - LEFT) * min(5.0, -log10(max(1e-5, 1 - percentile / 100))) / 5.0


def _y(milliseconds: float, greatest: float) -> float:
    low, high = log10(0.01), log10(max(greatest, 1.0))
    return HEIGHT - (HEIGHT - 10) * (log10(max(0.01, milliseconds)) - low) / (high - low)


def _curve(latencies: Latencies, colour: str, greatest: float) -> str:
    points = " ".join(f"{_x(at):.1f},{_y(value, greatest):.1f}" for at, value in latencies.curve())
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'


def _axes(greatest: float) -> str:
    nines = "".join(
        f'<text x="{_x(at):.0f}" y="{HEIGHT + 18}" font-size="11" text-anchor="middle">{at:g}%</text>'
        for at in (0, 90, 99, 99.9, 99.99, 99.999)
    )
    steps = [step for step in (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0, 10_000.0, 100_000.0) if step <= max(greatest, 1.0)]
    lines = "".join(
        f'<line x1="{LEFT}" x2="{WIDTH}" y1="{_y(step, greatest):.0f}" y2="{_y(step, greatest):.0f}" stroke="#ddd"/>'
        f'<text x="{LEFT - 6}" y="{_y(step, greatest) + 4:.0f}" font-size="11" text-anchor="end">{step:g} ms</text>'
        for step in steps
    )
    return nines + lines


def _bars(result: Result) -> str:
    if not result.seconds:
        return ""
    most = max(result.seconds.values())
    last = max(result.seconds)
    width = (WIDTH - LEFT) / (last + 1)
    bars = "".join(
        f'<rect x="{LEFT + second * width:.1f}" y="{HEIGHT - HEIGHT * count / most:.1f}" '
        f'width="{max(1.0, width - 1):.1f}" height="{HEIGHT * count / most:.1f}" fill="#4c78a8"/>'
        for second, count in result.seconds.items()
    )
    return (
        f'{bars}<text x="{LEFT - 6}" y="12" font-size="11" text-anchor="end">{most:,}/s</text>'
        f'<text x="{WIDTH}" y="{HEIGHT + 18}" font-size="11" text-anchor="end">{last + 1} s</text>'
    )
