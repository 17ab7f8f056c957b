"""The report of a run: one HTML file with the picture, the table and the events, and nothing that it loads. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from .drawing import Drawing
from .outcome import Outcome
from .timeline import Event, What
from .verdict import COLUMNS, Verdict, cells

QUIET = frozenset({What.COMMITTED, What.SUSPECTED})
"""Events that are in the picture, and too many for a list."""
STYLE = """
body { font: 14px/1.45 "DejaVu Sans", Helvetica, Arial, sans-serif; color: #1f2937; max-width: 1200px; margin: 2em auto;
  padding: 0 1em; background: #fff; }
h1 { font-size: 20px; } h2 { font-size: 15px; margin-top: 2em; }
table { border-collapse: collapse; }
th, td { padding: 3px 12px 3px 0; text-align: left; border-bottom: 1px solid #e5e7eb; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.good { color: #15803d; } .bad { color: #b91c1c; } svg { width: 100%; height: auto; }
"""


def page(verdict: Verdict, brokers: Sequence[str]) -> str:
    """The whole file."""
    picture = Drawing(verdict.timeline, brokers, verdict.elapsed_s).svg()
    word, kind = ("healed, and the answer is equal", "good") if verdict.ok else ("NOT healed", "bad")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>The network that repairs itself</title>\n'
        f"<style>{STYLE}</style></head><body>\n<h1>The network that repairs itself: "
        f'<span class="{kind}">{word}</span></h1>\n<p>{escape(verdict.about)}</p>\n{picture}\n'
        f"<h2>Faults</h2>\n{_table(verdict.outcomes)}\n{_answer(verdict)}\n"
        f"<h2>What happened</h2>\n{_events(verdict.timeline.events)}\n</body></html>\n"
    )


def _table(outcomes: Sequence[Outcome]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in COLUMNS)
    rows = "\n".join(
        "<tr>"
        + "".join(
            f'<td class="{"number" if 1 < index < len(COLUMNS) - 1 else ""}">{escape(cell)}</td>'
            for index, cell in enumerate(cells(outcome))
        )
        + "</tr>"
        for outcome in outcomes
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table>"


def _answer(verdict: Verdict) -> str:
    return "".join(
        f'<p class="{"good" if verdict.answer.ok else "bad"}">{escape(line)}</p>' for line in verdict.sentences()
    )


def _events(events: Iterable[Event]) -> str:
    rows = "\n".join(
        f'<tr><td class="number">{event.at_s:.2f}</td><td>{escape(told)}</td></tr>'
        for event in events
        if event.what not in QUIET and (told := event.sentence())
    )
    return f"<table><tbody>\n{rows}\n</tbody></table>"
