"""What was decided about jobs, as ``agentbus why`` shows it."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from agentbus.errors import NoResponders
from agentbus.subjects import Subjects

from .arguments import again
from .link import linked
from .screen import Screen

COLUMNS = ("TIME", "AGENT", "NODE", "DECISION", "BY")
JOB_COLUMNS = ("TIME", "JOB", "OUTCOME", "BY")
ENDS = ("done", "not done")
NEWEST = 50
"""Jobs that are shown when none is named."""


async def show(arguments: Namespace) -> None:
    """Asks all nodes, and shows what they know. Raises `NoResponders` when nobody knows anything."""
    async with linked(arguments.url, arguments.realm, arguments.identity) as link:
        subject = Subjects(arguments.realm).why()
        entries = read_decisions(await link.collect(subject, arguments.job.encode(), timeout_s=arguments.timeout))
    known = entries
    if not arguments.job:
        entries = [entry for entry in entries if entry["what"] in ENDS][-NEWEST:]
    if not entries:
        about = f"job {arguments.job!r}" if arguments.job else "any job"
        text = f"no node of realm {arguments.realm!r} knows of {about}: nodes forget the oldest, and end"
        if known:
            about = again(arguments, "why", known[-1]["job"])
            text = f"no job has ended yet, or their buyers have ended: ask for one by its id: {about}"
        raise NoResponders(text)
    with Screen(COLUMNS if arguments.job else JOB_COLUMNS, (), live=False) as screen:
        if arguments.json:
            screen.records(entries)
        elif arguments.job:
            screen.rows([[_time(entry), _who(entry), entry["node"], entry["what"], _facts(entry)] for entry in entries])
        else:
            screen.rows([[_time(entry), entry["job"], entry["what"], _facts(entry)] for entry in entries])


def read_decisions(bodies: Iterable[bytes]) -> list[dict[str, Any]]:
    """The decisions, by time; what is none is left out: others may speak on the subject."""
    found: list[dict[str, Any]] = []
    for body in bodies:
        try:
            value: object = json.loads(body)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and _is_decision(entry := cast("dict[str, Any]", value)):
            found.append(entry)
    return sorted(found, key=lambda entry: entry["at_us"])


def _is_decision(entry: Mapping[str, Any]) -> bool:
    words = all(isinstance(entry.get(name), str) for name in ("job", "node", "agent", "what"))
    at_us = entry.get("at_us")
    in_time = isinstance(at_us, int) and not isinstance(at_us, bool) and 0 <= at_us < 1 << 57
    return words and in_time and isinstance(entry.get("facts"), dict)


def _time(entry: Mapping[str, Any]) -> str:
    return datetime.fromtimestamp(entry["at_us"] / 1e6, UTC).strftime("%H:%M:%S.%f")


def _who(entry: Mapping[str, Any]) -> str:
    behavior = entry["facts"].get("behavior")
    return f"{entry['agent']}.{behavior}" if behavior else entry["agent"]


def _facts(entry: Mapping[str, Any]) -> str:
    facts: dict[str, object] = {name: fact for name, fact in entry["facts"].items() if fact is not None}
    return ", ".join(f"{name} {_said(fact)}" for name, fact in facts.items() if name != "behavior")


def _said(fact: object) -> str:
    return f"{fact:g}" if isinstance(fact, float) else str(fact)
