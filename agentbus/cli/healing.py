"""What was done about faults, as ``agentbus heal log`` shows it, and what would be: ``agentbus heal dry-run``."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from google.protobuf.message import DecodeError

from agentbus import faults
from agentbus.errors import DeadlineExceeded, SchemaMismatch, Unauthorized
from agentbus.healing.codec import HealingAction, PlanReply, PlanRequest
from agentbus.identity import NodeIdentity
from agentbus.inbound import foreign_error
from agentbus.messages import PLAIN, SEALED, decode_frame, full_name
from agentbus.streams import DurableStreams
from agentbus.subjects import Subjects
from agentbus.transport import StoredMessage, StreamLimits

from . import output
from .failures import printable
from .link import Link, linked

COLUMNS = ("TIME", "AGENT", "NODE", "FAULT", "ACTION", "OUTCOME", "REASON", "WITNESSES", "BY", "AFTER")
PLAN_COLUMNS = ("FAULT", "ACTION", "OUTCOME", "TARGET", "RULE")
NUMBERS = ("AFTER",)
WAITING = 10_000
"""Steps read and not shown yet; of more the oldest are dropped."""
KINDS = (
    faults.FAILED,
    faults.LYING,
    faults.SLOW,
    faults.ERRING,
    faults.OVERLOADED,
    faults.SILENT,
    faults.FALSE_ACCUSER,
)


@dataclass(slots=True)
class _Line:
    """A step as it is shown: what several nodes did alike is one."""

    time_s: float
    action: HealingAction
    by: list[str]


async def show_log(arguments: Namespace) -> None:
    """Shows what is stored; with ``--follow`` goes on until it is cancelled."""
    async with linked(arguments.url, arguments.realm, arguments.identity) as link:
        if arguments.follow:
            await _follow(link, arguments)
            return
        steps = await _stored(link, arguments)
        if arguments.json:
            for at_s, action in steps:
                output.record(_as_json(action, at_s))
            return
        output.table(COLUMNS, [_row(line) for line in _merged(steps)], NUMBERS)


async def _follow(link: Link, arguments: Namespace) -> None:
    queue: asyncio.Queue[StoredMessage] = asyncio.Queue(WAITING)
    await _receive(link, arguments, queue)
    while True:
        stored = await queue.get()
        for action in _actions(stored, arguments.identity):
            if arguments.json:
                output.record(_as_json(action, stored.time_s))
            else:
                cells = _row(_Line(stored.time_s, action, [action.by]))
                output.line("  ".join(printable(cell) or "-" for cell in cells))


async def _stored(link: Link, arguments: Namespace) -> list[tuple[float, HealingAction]]:
    """What the stream keeps now. Raises `StorageFailed` where nothing was ever stored, `DeadlineExceeded`."""
    stream, patterns = _place(link, arguments.realm)
    newest = [await link.transport.last(stream, one, timeout_s=arguments.timeout) for one in patterns]
    end = max((message.sequence for message in newest if message is not None), default=0)
    steps: list[tuple[float, HealingAction]] = []
    if not end:
        return steps
    queue: asyncio.Queue[StoredMessage] = asyncio.Queue(WAITING)
    await _receive(link, arguments, queue)
    try:
        async with asyncio.timeout(arguments.timeout):
            while True:
                stored = await queue.get()
                steps.extend((stored.time_s, action) for action in _actions(stored, arguments.identity))
                if stored.sequence >= end:
                    return steps
    except TimeoutError:
        text = (
            f"the log of realm {arguments.realm!r} was not read within {arguments.timeout:g} s: use a larger --timeout"
        )
        raise DeadlineExceeded(text) from None


async def _receive(link: Link, arguments: Namespace, queue: asyncio.Queue[StoredMessage]) -> None:
    def receive(message: StoredMessage) -> None:
        if queue.full():
            queue.get_nowait()
        queue.put_nowait(message)

    stream, patterns = _place(link, arguments.realm)
    await link.transport.follow(stream, patterns, receive, after=0, timeout_s=arguments.timeout)


def _place(link: Link, realm: str) -> tuple[str, tuple[str, ...]]:
    """The stream, and the subjects of the log in it."""
    subjects = Subjects(realm)
    stream = DurableStreams(link.transport, subjects, StreamLimits()).log
    return stream, subjects.durables(full_name(HealingAction), ">")


def _actions(stored: StoredMessage, identity: NodeIdentity | None) -> Iterator[HealingAction]:
    """The steps in a stored frame; what can't be read, or is not by whom it says, is told, and passed over."""
    try:
        start, body = stored.body[:2], stored.body[2:]
        if start == SEALED and identity is not None:
            body, _ = identity.guard.open(body, subject=stored.subject, reply="", ear="", durable=True)
        elif start != PLAIN or identity is not None:
            raise SchemaMismatch("it is not signed" if start == PLAIN else "it is sealed by a guard: give --identity")
        for payload in decode_frame(body).payloads:
            yield HealingAction.FromString(payload)
    except (SchemaMismatch, DecodeError, Unauthorized) as error:
        output.note(f"step {stored.sequence} of the log can't be read: {error}")


def _merged(steps: list[tuple[float, HealingAction]]) -> list[_Line]:
    lines: dict[tuple[str, str, str, str], _Line] = {}
    for at_s, action in steps:
        key = (action.fault, action.action, action.outcome, action.target)
        line = lines.setdefault(key, _Line(at_s, action, []))
        if action.by not in line.by:
            line.by.append(action.by)
    return list(lines.values())


def _row(line: _Line) -> list[str]:
    action, more = line.action, len(line.by) - 1
    outcome = f"{action.outcome}: {action.target}" if action.target else action.outcome
    return [
        datetime.fromtimestamp(line.time_s, UTC).astimezone().strftime("%H:%M:%S.%f")[:-3],
        action.agent or "(all)",
        action.node,
        action.kind,
        action.action,
        outcome,
        action.reason,
        ",".join(action.witnesses),
        f"{line.by[0]} +{more}" if more else line.by[0],
        f"{action.latency_s:.2f} s",
    ]


def _as_json(action: HealingAction, time_s: float | None = None) -> Mapping[str, Any]:
    time = {} if time_s is None else {"time": datetime.fromtimestamp(time_s, UTC).isoformat()}
    return {
        **time,
        "fault": action.fault,
        "kind": action.kind,
        "agent": action.agent,
        "node": action.node,
        "epoch": action.epoch,
        "action": action.action,
        "reason": action.reason,
        "rule": action.rule,
        "witnesses": list(action.witnesses),
        "outcome": action.outcome,
        "target": action.target,
        "by": action.by,
        "latency_s": action.latency_s,
    }


async def dry_run(arguments: Namespace) -> None:
    """Asks any Healer what it would do. Raises `NoResponders`, `DeadlineExceeded`, and what the Healer raised."""
    subject = Subjects(arguments.realm).any(full_name(PlanRequest))
    rows: list[list[str]] = []
    async with linked(arguments.url, arguments.realm, arguments.identity) as link:
        for kind in (arguments.fault,) if arguments.fault else KINDS:
            request = PlanRequest(kind=kind, agent=arguments.agent, node=arguments.node)
            body, told = await link.ask(subject, request.SerializeToString(), None, timeout_s=arguments.timeout)
            error = foreign_error(told)
            if error is not None:
                raise error
            for action in PlanReply.FromString(body).actions:
                if arguments.json:
                    output.record(_as_json(action))
                rows.append([action.kind, action.action, action.outcome, action.target, action.rule])
    if not arguments.json:
        output.table(PLAN_COLUMNS, rows)
