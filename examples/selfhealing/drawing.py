"""The picture of a run, as SVG: one lane an agent, a band a fault, and what all of them did together. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

from .lanes import State, rates, spans
from .outcome import Outcome, outcomes
from .timeline import Injection, Timeline, What

WIDTH, LEFT, RIGHT, TOP = 1200.0, 96.0, 16.0, 58.0
LANE, BROKER_LANE, RATE_HEIGHT = 24.0, 16.0, 64.0
BINS = 240
COLOURS = {
    State.STARTING: "#cbd5e1",
    State.WELL: "#94c5a4",
    State.STOPPED: "#f0a35e",
    State.CUT: "#b39ddb",
    State.LYING: "#e05d5d",
    State.SLOW: "#e3c04b",
    State.QUARANTINED: "#7f1d1d",
    State.PROBATION: "#7fb2e5",
    State.DOWN: "#1f2937",
}
INK, FAINT, BAND, DETECTED, RECOVERED = "#1f2937", "#9ca3af", "#fde2e2", "#b91c1c", "#15803d"


class Drawing:
    """One picture.

    Args:
        timeline: what happened.
        brokers: the servers' names.
        end_s: where the picture ends, in seconds since the run began.
    """

    def __init__(self, timeline: Timeline, brokers: Sequence[str], end_s: float) -> None:
        self._timeline = timeline
        self._brokers = brokers
        self._end_s = max(end_s, 1.0)
        self._lanes = TOP + LANE * len(timeline.nodes)
        self._rates = self._lanes + BROKER_LANE * len(brokers) + 18
        self._height = self._rates + RATE_HEIGHT + 54

    def svg(self) -> str:
        """The picture."""
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {self._height:g}" '
            'font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="11" role="img" '
            'aria-label="timeline of the run">',
            f'<rect width="{WIDTH:g}" height="{self._height:g}" fill="#ffffff"/>',
            *self._faults(),
            *self._axis(),
        ]
        for index, node in enumerate(self._timeline.nodes):
            parts += self._lane(node, TOP + LANE * index)
        for index, broker in enumerate(self._brokers):
            parts += self._broker(broker, self._lanes + 4 + BROKER_LANE * index)
        parts += [*self._throughput(), *self._marks(), *self._legend(), "</svg>"]
        return "\n".join(parts)

    # -- parts -----------------------------------------------------------------------------------------------------

    def _x(self, at_s: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * min(1.0, max(0.0, at_s / self._end_s))

    def _axis(self) -> Iterable[str]:
        bottom = self._rates + RATE_HEIGHT
        step = _step(self._end_s)
        for number in range(math.floor(self._end_s / step) + 1):
            x = self._x(number * step)
            yield _line(x, TOP, x, bottom, "#eef0f3")
            yield _text(x, bottom + 13, f"{number * step:g} s", anchor="middle", fill=FAINT)

    def _faults(self) -> Iterable[str]:
        bottom = self._rates + RATE_HEIGHT
        for outcome in outcomes(self._timeline):
            from_s, until_s = outcome.fault.at_s, _over_s(outcome)
            left, right = self._x(from_s), self._x(self._end_s if until_s is None else until_s)
            title = f"{outcome.fault.kind}: {', '.join(outcome.fault.victims)}"
            yield (
                f'<rect x="{left:.1f}" y="{TOP:g}" width="{max(1.0, right - left):.1f}" height="{bottom - TOP:.1f}" '
                f'fill="{BAND}" opacity="0.6"><title>{escape(title)}</title></rect>'
            )

    def _marks(self) -> Iterable[str]:
        bottom = self._rates + RATE_HEIGHT
        for number, outcome in enumerate(outcomes(self._timeline)):
            x = self._x(outcome.fault.at_s)
            y = TOP - 30 + 12 * (number % 2)
            yield _line(x, y + 3, x, bottom, INK, dash="3 3")
            yield _text(x + 3, y, outcome.fault.kind, weight="bold", fill=INK)
            for after_s, colour, word in (
                (outcome.detect_s, DETECTED, "detected"),
                (outcome.recover_s, RECOVERED, "recovered"),
            ):
                if after_s is not None and outcome.from_s is not None:
                    at = self._x(outcome.from_s + after_s)
                    yield (
                        f'<path d="M{at:.1f} {TOP - 1:g} l-4 -8 h8 z" fill="{colour}">'
                        f"<title>{word} after {after_s:.2f} s</title></path>"
                    )
                    yield _line(at, TOP, at, bottom, colour, width=0.8)

    def _lane(self, node: str, y: float) -> Iterable[str]:
        yield _text(LEFT - 8, y + LANE - 8, node, anchor="end", fill=INK)
        for span in spans(self._timeline, node, self._end_s):
            x, width = self._x(span.from_s), self._x(span.until_s) - self._x(span.from_s)
            yield (
                f'<rect x="{x:.1f}" y="{y + LANE - 8:.1f}" width="{max(0.8, width):.1f}" height="5" rx="1" '
                f'fill="{COLOURS[span.state]}"><title>{escape(node)} {span.state.value}, '
                f"{span.from_s:.1f} to {span.until_s:.1f} s</title></rect>"
            )
        yield from self._bars(node, y + LANE - 9, LANE - 11)

    def _bars(self, node: str, base: float, height: float) -> Iterable[str]:
        """What a node committed, as bars: wrong scores in red."""
        counts = rates(self._timeline.events, node, BINS, self._end_s / BINS)
        most = max((every for one in self._timeline.nodes for every, _ in self._rates_of(one)), default=0)
        width = (WIDTH - LEFT - RIGHT) / BINS
        for index, (every, wrong) in enumerate(counts):
            for count, colour in ((every, "#64748b"), (wrong, "#dc2626")):
                if count:
                    tall = height * min(1.0, count / most) ** 0.5
                    yield (
                        f'<rect x="{LEFT + index * width:.1f}" y="{base - tall:.1f}" width="{width * 0.8:.2f}" '
                        f'height="{tall:.1f}" fill="{colour}"/>'
                    )

    def _rates_of(self, node: str) -> list[tuple[int, int]]:
        return rates(self._timeline.events, node, BINS, self._end_s / BINS)

    def _broker(self, name: str, y: float) -> Iterable[str]:
        yield _text(LEFT - 8, y + 9, name, anchor="end", fill=FAINT)
        down_s: float | None = None
        yield _bar(self._x(0.0), y + 3, self._x(self._end_s), "#dbe4ee")
        for event in self._timeline.events:
            if event.about == name and event.what is What.BROKER_DOWN:
                down_s = event.at_s
            elif event.about == name and event.what is What.BROKER_UP and down_s is not None:
                yield _bar(self._x(down_s), y + 3, self._x(event.at_s), COLOURS[State.DOWN])
                down_s = None
        if down_s is not None:
            yield _bar(self._x(down_s), y + 3, self._x(self._end_s), COLOURS[State.DOWN])

    def _throughput(self) -> Iterable[str]:
        width_s = self._end_s / BINS
        counts = [every / width_s for every, _ in rates(self._timeline.events, "", BINS, width_s)]
        most = max([*counts, 1.0])
        base = self._rates + RATE_HEIGHT
        points = [
            f"{self._x((index + 0.5) * width_s):.1f},{base - RATE_HEIGHT * count / most:.1f}"
            for index, count in enumerate(counts)
        ]
        yield (
            f'<polygon points="{LEFT:g},{base:g} {" ".join(points)} {WIDTH - RIGHT:g},{base:g}" '
            'fill="#475569" opacity="0.75"/>'
        )
        yield _text(LEFT - 8, self._rates + 10, f"{most:,.0f}", anchor="end", fill=FAINT)
        yield _text(LEFT - 8, base, "records/s", anchor="end", fill=FAINT)

    def _legend(self) -> Iterable[str]:
        x, y = LEFT, self._height - 18
        used = {span.state for node in self._timeline.nodes for span in spans(self._timeline, node, self._end_s)}
        for state in (state for state in State if state in used):
            yield f'<rect x="{x:.1f}" y="{y - 8:.1f}" width="10" height="8" fill="{COLOURS[state]}"/>'
            yield _text(x + 14, y, state.value, fill=INK)
            x += 26 + 6.6 * len(state.value)
        for colour, word in ((DETECTED, "detected"), (RECOVERED, "recovered")):
            yield f'<path d="M{x + 5:.1f} {y:.1f} l-4 -8 h8 z" fill="{colour}"/>'
            yield _text(x + 14, y, word, fill=INK)
            x += 26 + 6.6 * len(word)
        for colour, word in (("#64748b", "records committed"), ("#dc2626", "of them wrong")):
            yield f'<rect x="{x + 2:.1f}" y="{y - 8:.1f}" width="5" height="8" fill="{colour}"/>'
            yield _text(x + 14, y, word, fill=INK)
            x += 26 + 6.6 * len(word)


def _over_s(outcome: Outcome) -> float | None:
    """When a fault was over: recovered, and lifted where it can be."""
    if outcome.from_s is None or outcome.recover_s is None:
        return None
    fault: Injection = outcome.fault
    ends = [outcome.from_s + outcome.recover_s]
    if fault.kind in ("stop", "partition"):
        if fault.lifted_s is None:
            return None
        ends.append(fault.lifted_s)
    return max(ends)


def _step(seconds: float) -> float:
    """Seconds between two labels: about twelve of them."""
    return next(step for step in (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 3600) if seconds / step <= 14 or step == 3600)


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, *, width: float = 1.0, dash: str = "") -> str:
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
        f'stroke-width="{width:g}"{dashes}/>'
    )


def _bar(left: float, y: float, right: float, colour: str) -> str:
    return f'<rect x="{left:.1f}" y="{y:.1f}" width="{max(0.8, right - left):.1f}" height="6" rx="1" fill="{colour}"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", fill: str, weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}" font-weight="{weight}">'
        f"{escape(text)}</text>"
    )
