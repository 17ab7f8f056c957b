"""A process that hosts a ledger until it is told to end: ``python -m tests.market.escrow.host URL NAME``. It says
``ready`` when it is."""

from __future__ import annotations

import asyncio
import sys

import structlog

from agentbus import Node
from agentbus.market import EscrowLedger
from agentbus.membership import Membership, local

from .test_on_nats import ISSUER

LIFE_S = 60.0


async def main(url: str, name: str) -> None:
    agents = {"membership": Membership(local()), name: EscrowLedger(issuer=ISSUER)}
    async with Node(url, name=f"node-{name}", agents=agents):
        print("ready", flush=True)  # noqa: T201 - to the parent
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # until the parent has gone


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(asyncio.wait_for(main(*sys.argv[1:3]), LIFE_S))
