"""Where a table is shown that may be renewed: in place on a terminal, one after the other elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from . import output

if TYPE_CHECKING:
    from rich.live import Live


class Screen:
    """Shows one table again and again.

    Args:
        columns, numbers: see `output.table`.
        live: it will be renewed.
    """

    def __init__(self, columns: Sequence[str], numbers: Sequence[str], *, live: bool) -> None:
        self._columns = columns
        self._numbers = numbers
        self._in_place = live and output.on_terminal()
        self._live: Live | None = None
        self._shown = 0
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.close()

    def records(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Prints objects instead, one a line."""
        for values in records:
            output.record(values)

    def rows(self, rows: output.Rows) -> None:
        """Shows the table with these rows."""
        if not self._in_place:
            if self._shown:
                output.line("")
            self._shown += 1
            output.table(self._columns, rows, self._numbers)
            return
        made = output.rich_table(self._columns, rows, self._numbers)
        if self._live is None:
            from rich.live import Live

            self._live = self._exit.enter_context(Live(made, auto_refresh=False, vertical_overflow="visible"))
        self._live.update(made, refresh=True)
