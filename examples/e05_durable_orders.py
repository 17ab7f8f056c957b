"""Durable orders: a worker is killed in the middle of its work, and every order is done all the same.

``publish(order, durable=True)`` returns when NATS JetStream has stored the order. ``@on(Order, durable="till")``
hears the stored orders: each is handed to one member of that name, acknowledged when the handler returns, and handed to
another if no acknowledgement comes within `ack_wait_s`. So each is handled *at least* once: a worker that is killed
between doing and acknowledging leaves work that will be done again. Whoever must count once counts by number.

This program starts a worker in a process of its own, kills it with SIGKILL while it is at work, and starts another.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
from contextlib import suppress

from agentbus import Agent, Context, Node, on
from agentbus.observability.logs import configure

from .orders.v1.orders_pb2 import Begun, Done, Order

REALM = "e05"
ORDERS = 20
FATAL = 7
"""The order during which the first worker is killed."""


class Clerk(Agent):
    """Handles orders, 0.1 s each."""

    @on(Order, durable="till", ack_wait_s=1.0)
    async def handle(self, order: Order, ctx: Context) -> None:
        """Returns when the order is done: that acknowledges it."""
        attempt = ctx.delivery.attempt if ctx.delivery else 1
        await ctx.publish(Begun(run=order.run, number=order.number, attempt=attempt))
        await asyncio.sleep(0.1)
        done = Done(run=order.run, number=order.number, worker=ctx.me, attempt=attempt)
        await ctx.publish(done, durable=True)


class Ledger(Agent):
    """Counts the orders of this run that are done, each once."""

    def __init__(self, this_run: str) -> None:
        self.run = this_run
        self.done: dict[int, Done] = {}
        self.fatal_begun = asyncio.Event()
        self.all_done = asyncio.Event()

    @on(Begun)
    async def begun(self, begun: Begun, ctx: Context) -> None:
        """Waits for the order at which to strike."""
        if begun.run == self.run and begun.number == FATAL:
            self.fatal_begun.set()

    @on(Done, durable="ledger")
    async def note(self, done: Done, ctx: Context) -> None:
        """Notes an order by its number, so that one done twice counts once."""
        if done.run == self.run:
            self.done.setdefault(done.number, done)
            if len(self.done) == ORDERS:
                self.all_done.set()


async def start_clerk(name: str, url: str | None) -> asyncio.subprocess.Process:
    """A clerk in a process of its own: this module again, as ``--clerk NAME``."""
    where = ["--url", url] if url else []
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "examples.e05_durable_orders", "--clerk", name, *where
    )


async def main(url: str | None) -> None:
    """Orders, a clerk, a crash, another clerk, and the count."""
    ledger = Ledger(secrets.token_hex(4))
    clerks: list[asyncio.subprocess.Process] = []
    try:
        async with Node(url, realm=REALM, agents=[ledger]) as node, asyncio.timeout(30.0):
            for number in range(ORDERS):
                await node.publish(Order(run=ledger.run, number=number, item="tea"), durable=True)
            print(f"{ORDERS} orders are stored")

            clerks.append(await start_clerk("clerk-1", url))
            await ledger.fatal_begun.wait()
            clerks[0].kill()
            await clerks[0].wait()
            print(f"clerk-1 was killed after it began with order {FATAL}; {len(ledger.done)} orders were done")

            clerks.append(await start_clerk("clerk-2", url))
            await ledger.all_done.wait()
    finally:
        for clerk in clerks:
            with suppress(ProcessLookupError):
                clerk.terminate()
            await clerk.wait()
    again = sum(done.attempt > 1 for done in ledger.done.values())
    print(f"{len(ledger.done)} of {ORDERS} orders are done, {again} of them at a second attempt")


def start() -> None:
    """Runs the example, or with ``--clerk`` one of its processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="the broker (default: AGENTBUS_URL, or else the embedded nats-server)")
    parser.add_argument("--clerk", metavar="NAME", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    configure("error")
    if arguments.clerk:
        asyncio.run(host_clerk(arguments.clerk, arguments.url))
    else:
        asyncio.run(main(arguments.url))


async def host_clerk(name: str, url: str | None) -> None:
    """Hosts one clerk until SIGTERM."""
    async with Node(url, realm=REALM, agents={name: Clerk()}) as node:
        await node.run()


if __name__ == "__main__":
    start()
