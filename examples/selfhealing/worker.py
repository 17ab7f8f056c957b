"""One agent in a process of its own: ``python -m examples.selfhealing.worker NAME ...``, started by `crew`.

Four agents share its node: membership, detection, healing, and the scorer, which does the work. Nothing here is for the
demo's sake but `Parent` and `Mischief`; take them out, and it is a program that survives.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import structlog

from agentbus import Agent, Node
from agentbus.detection import Detection, WatchConfig, quorum_of
from agentbus.errors import Conflict
from agentbus.faults import LYING
from agentbus.healing import Healer, HealingConfig
from agentbus.membership import Membership, local
from agentbus.observability.logs import configure
from agentbus.sharding import ShardJob
from agentbus.sharding import local as shards
from agentbus.transport import Headers, LinkState, LinkWatcher, Stored
from agentbus.transports.nats import NatsTransport

from .mischief import Mischief
from .parent import Parent
from .rules import Rules
from .scorer import Scorer
from .scoring import Scoring

LOOK_S = 0.2
"""Seconds between two looks for new input, and at who should hold what: twelve agents share two cores."""

WATCH = WatchConfig(report_s=1.0, probe_s=0.5, stale_s=12.0, latency_floor_s=0.15, ratio=5.0, persist_s=2.0)
"""More patient than the defaults: on two cores that twelve agents, three brokers and others share, everybody is late
now and then."""


class Wire(NatsTransport):
    """The wire to the brokers; tells the demo when it is lost, and of writes that the server refuses.

    Args:
        parent: the demo.
        url, options: as in `NatsTransport`.
    """

    def __init__(self, parent: Parent, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self._parent = parent

    async def connect(self, *, timeout_s: float = 5.0, watcher: LinkWatcher | None = None) -> None:
        """As the transport does."""
        lost = False

        def watch(state: LinkState, why: str) -> None:
            nonlocal lost
            if state is LinkState.RECONNECTING and not lost:
                lost = True
                self._parent.tell("link", connected=False)
            elif state is LinkState.CONNECTED and lost:
                lost = False
                self._parent.tell("link", connected=True)
            if watcher is not None:
                watcher(state, why)

        await super().connect(timeout_s=timeout_s, watcher=watch)

    async def store(
        self,
        subject: str,
        body: bytes,
        *,
        message_id: str,
        headers: Headers | None = None,
        expected: int | None = None,
        among: str = "",
        ttl_s: float | None = None,
        timeout_s: float = 5.0,
    ) -> Stored:
        """As the transport does."""
        try:
            return await super().store(
                subject,
                body,
                message_id=message_id,
                headers=headers,
                expected=expected,
                among=among,
                ttl_s=ttl_s,
                timeout_s=timeout_s,
            )
        except Conflict:
            *_, kind, shard = subject.split(".")
            if kind == "out":
                self._parent.tell("refused", shard=int(shard))
            raise


def node_of(arguments: argparse.Namespace, parent: Parent, agents: Mapping[str, Agent]) -> Node:
    """The node: of an identity, or of a name."""
    wire = partial(Wire, parent)
    if arguments.identity:
        from agentbus.security import Identity  # which needs the extra

        return Node(arguments.url, identity=Identity.load(arguments.identity, wire=wire), agents=agents)
    transport = wire(arguments.url, name=arguments.name)
    return Node(transport=transport, realm=arguments.realm, name=arguments.name, agents=agents)


async def host(arguments: argparse.Namespace, parent: Parent) -> None:
    """Hosts the agents until SIGTERM, or until the demo is gone."""
    mischief = Mischief()
    job = ShardJob(name=arguments.job, shards=arguments.shards, replicas=arguments.replicas)
    healer = Healer(Rules(), config=HealingConfig.local(faulty=arguments.liars), on_restart=parent.restart)
    scorer = Scorer(
        job,
        config=replace(shards(), idle_s=LOOK_S, decide_s=LOOK_S, liars=arguments.liars),
        standing=healer,
        scoring=Scoring(arguments.channels),
        mischief=mischief,
    )
    detection = Detection(
        quorum_of(arguments.liars, watch=WATCH), reproducers={LYING: scorer}, speaks_for=arguments.name
    )
    scorer.accuse = detection.accuse
    agents = {
        "membership": Membership(local()),
        "detection": detection,
        "healer": healer,
        arguments.name: scorer,
    }

    def hear(facts: Mapping[str, Any]) -> None:
        match facts["word"]:
            case "lie":
                mischief.lie(facts)
            case "slow":
                mischief.slow()
            case _:
                pass

    async with node_of(arguments, parent, agents) as node:
        listening = asyncio.get_running_loop().create_task(parent.listen(hear), name="parent")
        parent.tell("up")
        await node.run()
        listening.cancel()


def main() -> None:
    """Runs the agent that the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m examples.selfhealing.worker", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--url", required=True)
    parser.add_argument("--realm", default="default")
    parser.add_argument("--identity", help="the file of an identity, in place of the realm")
    parser.add_argument("--job", required=True)
    parser.add_argument("--shards", type=int, required=True)
    parser.add_argument("--replicas", type=int, required=True)
    parser.add_argument("--channels", type=int, required=True, help="values of a record")
    parser.add_argument("--liars", type=int, required=True, help="how many may lie at once")
    arguments = parser.parse_args()
    configure("info", json=True)
    parent = Parent(arguments.name)
    structlog.configure(processors=[parent.read_log, *structlog.get_config()["processors"]])
    try:
        import uvloop
    except ImportError:
        asyncio.run(host(arguments, parent))
    else:
        uvloop.run(host(arguments, parent))


if __name__ == "__main__":
    main()
