"""Counts: a copy is of its moment."""

from __future__ import annotations

from dataclasses import fields

from agentbus.statistics import Counters


def test_a_copy_has_every_count_and_does_not_change() -> None:
    counters = Counters(
        **{field.name: "x" if field.name == "last_error" else i for i, field in enumerate(fields(Counters), 1)}
    )
    copy = counters.copy()
    assert copy == counters
    counters.received += 1
    assert copy != counters


def test_errors_are_what_was_not_handled_well() -> None:
    assert Counters(handled=9, failed=1, refused=2, malformed=4, dropped=8, expired=16).errors == 7
