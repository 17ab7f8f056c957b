"""What people see while it runs: a live view on a terminal, plain lines elsewhere; and the table at the end."""

from __future__ import annotations

from collections import deque

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from .lanes import State
from .plan import Plan
from .recorder import Recorder
from .timeline import Event, What
from .verdict import COLUMNS, Verdict, cells

NEWS = 14
"""Events on the screen."""
QUIET = frozenset({What.COMMITTED, What.SUSPECTED})
SHARED = frozenset({What.FAILED, What.JOINED, What.LEFT, What.CONVICTED, What.CLEARED, What.ACTED})
"""What each node finds out or does for itself."""
STYLES = {
    State.STARTING: "dim",
    State.WELL: "green",
    State.STOPPED: "yellow",
    State.CUT: "magenta",
    State.LYING: "bold red",
    State.SLOW: "yellow",
    State.QUARANTINED: "bold white on red",
    State.PROBATION: "cyan",
    State.DOWN: "bold red",
}
LOUD = {
    What.INJECTED: "bold red",
    What.LIFTED: "bold",
    What.FAILED: "red",
    What.CONVICTED: "red",
    What.ACTED: "magenta",
    What.CLAIMED: "green",
    What.FENCED: "yellow",
    What.REFUSED: "yellow",
}
REDRAW_S = 0.1


class Silent:
    """Shows nothing."""

    def show(self, recorder: Recorder, event: Event) -> None:
        """Shows nothing."""


class Lines:
    """A line an event, for logs and pipes; what twelve agents say of the same within a moment is one line."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said: deque[tuple[What, str, str]] = deque(maxlen=64)

    def show(self, recorder: Recorder, event: Event) -> None:
        """Prints what is news."""
        if event.what in QUIET or not news(event, self._said):
            return
        self._console.print(f"{event.at_s:7.2f} s  {event.sentence()}", style=LOUD.get(event.what), highlight=False)


class Picture:
    """A table of the agents and the last events, changed in place."""

    def __init__(self, live: Live, plan: Plan) -> None:
        self._live = live
        self._plan = plan
        self._drawn_s = 0.0
        self._records: dict[str, int] = dict.fromkeys(plan.names, 0)
        self._down: set[str] = set()
        self._said: deque[tuple[What, str, str]] = deque(maxlen=64)
        self._news: deque[Event] = deque(maxlen=NEWS)

    def show(self, recorder: Recorder, event: Event) -> None:
        """Takes it in, and draws ten times a second."""
        if event.what is What.COMMITTED and event.who in self._records:
            self._records[event.who] += event.records
        elif event.what is What.BROKER_DOWN:
            self._down.add(event.about)
        elif event.what is What.BROKER_UP:
            self._down.discard(event.about)
        if event.what not in QUIET and news(event, self._said):
            self._news.append(event)
        if event.at_s - self._drawn_s >= REDRAW_S:
            self._drawn_s = event.at_s
            self._live.update(self._draw(recorder), refresh=True)

    def _draw(self, recorder: Recorder) -> Group:
        table = Table(box=None, padding=(0, 2, 0, 0))
        for column in ("agent", "state", "shards", "records"):
            table.add_column(column, justify="right" if column == "records" else "left")
        for name in self._plan.names:
            state = recorder.states[name]
            held = sorted(shard for shard, who in recorder.holders.items() if who == name)
            table.add_row(
                name,
                Text(state.value, style=STYLES[state]),
                " ".join(str(shard) for shard in held),
                f"{self._records[name]:,}",
            )
        brokers = Text("  ").join(
            Text(
                f"{name} {'down' if name in self._down else 'up'}", style="bold red" if name in self._down else "green"
            )
            for name in self._plan.brokers
        )
        lines = [
            Text(f"{event.at_s:7.2f} s  {event.sentence()}", style=LOUD.get(event.what, "dim")) for event in self._news
        ]
        head = Text(f"{recorder.now():.1f} s   {len(recorder.timeline.faults)} of {len(self._plan.faults)} faults")
        return Group(head, table, brokers, Text(), *lines)


def news(event: Event, said: deque[tuple[What, str, str]]) -> bool:
    """Whether it is the first of its kind lately; notes that it was said. Of what all nodes say, the first counts."""
    if event.what in (What.INJECTED, What.LIFTED, What.STARTED):
        said.clear()
    if event.what not in SHARED:
        return True
    key = (event.what, event.about, event.text)
    known = key in said
    said.append(key)
    return not known


def show_verdict(console: Console, verdict: Verdict) -> None:
    """Prints the table and what it means."""
    table = Table(title=verdict.about, title_justify="left")
    for index, column in enumerate(COLUMNS):
        table.add_column(column, justify="right" if 1 < index < len(COLUMNS) - 1 else "left")
    for outcome in verdict.outcomes:
        table.add_row(*cells(outcome), style=None if outcome.healed else "red")
    if verdict.outcomes:
        console.print(table)
    good = verdict.ok
    for line in verdict.sentences():
        console.print(line, highlight=False, style=None if good else "red")
    word = "every fault was healed, and the answer is equal" if good else "FAILED"
    console.print(f"{word}  ({verdict.elapsed_s:.1f} s)", style="bold green" if good else "bold red", highlight=False)
