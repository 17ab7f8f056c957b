"""Which nodes are alive, as ``agentbus members`` shows it."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from datetime import UTC, datetime
from typing import Any

from agentbus.errors import DeadlineExceeded, NoResponders
from agentbus.membership.codec import MembersRequest, read_members
from agentbus.membership.model import Word
from agentbus.messages import EPOCH_CHANCE_BITS, full_name
from agentbus.subjects import Subjects

from .link import Link, linked
from .screen import Screen

WATCH_S = 1.0
"""Seconds between two looks."""
COLUMNS = ("NODE", "STATE", "SINCE", "INCARNATION", "AGENTS", "ACCUSED BY")
NUMBERS = ("INCARNATION",)


async def show(arguments: Namespace) -> None:
    """Asks who is alive and shows it: once, or until it is cancelled."""
    async with linked(arguments.url, arguments.realm, arguments.identity) as link:
        with Screen(COLUMNS, NUMBERS, live=arguments.watch) as screen:
            while True:
                words = await _ask(link, arguments)
                if arguments.json:
                    screen.records(map(_as_json, words))
                else:
                    screen.rows([_row(word) for word in words])
                if not arguments.watch:
                    return
                await asyncio.sleep(WATCH_S)


async def _ask(link: Link, arguments: Namespace) -> tuple[Word, ...]:
    """What one node believes. Raises `NoResponders`, `DeadlineExceeded`."""
    subjects, name = Subjects(arguments.realm), full_name(MembersRequest)
    if arguments.seen_by is None:
        body, _ = await link.ask(subjects.any(name), b"", None, timeout_s=arguments.timeout)
        return _read(body)[1]
    answers = [_read(body) for body in await link.collect(subjects.all(name), timeout_s=arguments.timeout)]
    for node, words in answers:
        if node == arguments.seen_by:
            return words
    if not answers:
        raise NoResponders(f"no node of realm {arguments.realm!r} runs Membership: add it to the agents of each node")
    known = ", ".join(sorted(node for node, _ in answers))
    raise NoResponders(f"no node {arguments.seen_by!r} has answered: ask one of {known}")


def _read(body: bytes) -> tuple[str, tuple[Word, ...]]:
    try:
        return read_members(body)
    except ValueError as error:
        raise DeadlineExceeded(f"the answer is {error}: is another program on this subject?") from None


def _began(epoch: int) -> datetime:
    return datetime.fromtimestamp((epoch >> EPOCH_CHANCE_BITS) / 1000, UTC)


def _row(word: Word) -> list[str]:
    return [
        word.node,
        word.state.name.lower(),
        _began(word.epoch).strftime("%Y-%m-%dT%H:%M:%SZ"),
        str(word.incarnation),
        ",".join(agent.name for agent in word.agents),
        ",".join(word.by),
    ]


def _as_json(word: Word) -> dict[str, Any]:
    return {
        "node": word.node,
        "state": word.state.name.lower(),
        "epoch": word.epoch,
        "since": _began(word.epoch).isoformat(),
        "incarnation": word.incarnation,
        "agents": [agent.name for agent in word.agents],
        "accused_by": list(word.by),
    }
