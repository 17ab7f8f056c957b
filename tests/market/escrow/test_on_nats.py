"""On a real nats-server, with the ledger in processes of its own that are stopped and killed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from agentbus import Node
from agentbus.errors import Busy
from agentbus.market import EscrowClient, EscrowConfig, EscrowLedger, audit
from agentbus.market.escrow import LedgerMachine, Open, Receipt
from agentbus.market.escrow.ledger import fetch, open_ledger
from agentbus.market.escrow.model import HEAD, Head
from agentbus.market.escrow.writer import Writer
from agentbus.membership import Membership, local
from tests.nats_server import NatsServer

ISSUER = "bank"
ROOT = Path(__file__).parents[3]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    server = NatsServer(tmp_path).start()
    yield server
    server.kill()


@asynccontextmanager
async def host(url: str, name: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.market.escrow.host", url, name),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        assert (await process.stdout.readline()).strip() == b"ready"
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        await process.wait()


async def writer(node: Node) -> str:
    bucket = await open_ledger(node.transport, "escrow", realm="default", config=EscrowConfig())
    _, head = await fetch(bucket, HEAD)
    assert isinstance(head, Head)
    return head.writer


async def fund(bank: Node, client: EscrowClient, name: str, amount: int = 1_000) -> None:
    await client.open(f"open-{name}", name)
    await EscrowClient(bank).transfer(f"fund-{name}", ISSUER, name, amount)


@pytest.mark.timeout(40)
async def test_a_writer_that_is_stopped_and_continued_and_one_that_is_killed(server: NatsServer) -> None:
    async with AsyncExitStack() as stack:
        processes = {name: await stack.enter_async_context(host(server.url, name)) for name in ("one", "two")}
        bank = await stack.enter_async_context(Node(server.url, name=ISSUER, agents=[Membership(local())]))
        alice = await stack.enter_async_context(Node(server.url, name="alice"))
        escrow = EscrowClient(alice)
        await fund(bank, escrow, "alice")
        await EscrowClient(bank).open("open-till", "till")
        first = await writer(bank)
        (second,) = {"one", "two"} - {first}

        calls = [asyncio.create_task(escrow.transfer(f"a{number}", "alice", "till", 1)) for number in range(100)]
        await calls[0]
        os.kill(processes[first].pid, signal.SIGSTOP)
        await asyncio.gather(*calls)
        receipts = await asyncio.gather(*(escrow.transfer(f"b{number}", "alice", "till", 1) for number in range(100)))
        assert await writer(bank) == second

        os.kill(processes[first].pid, signal.SIGCONT)  # it goes on where it was, with a batch of the old days
        again = await asyncio.gather(*(escrow.transfer(f"b{number}", "alice", "till", 1) for number in range(100)))
        assert again == receipts
        assert await writer(bank) == second

        processes[second].kill()
        await asyncio.gather(*(escrow.transfer(f"c{number}", "alice", "till", 1) for number in range(100)))
        assert await writer(bank) == first
        assert (await escrow.balance("alice"), await escrow.balance("till")) == (700, 300)
        found = await audit(bank.transport)
        assert found.sound, found.problems
        assert len(found.transactions) == 3 + 300


async def test_the_server_refuses_the_batch_of_a_deposed_writer(server: NatsServer) -> None:
    async with Node(server.url) as node:
        bucket = await open_ledger(node.transport, "escrow", realm="default", config=EscrowConfig())
        old, new = (
            Writer(bucket, LedgerMachine(token, f"w{token}", ISSUER, EscrowConfig()), "escrow", time.time, node.log)
            for token in (1, 2)
        )
        async with asyncio.TaskGroup() as group:
            first = group.create_task(old.run())
            assert isinstance(await old.do("open-alice", "alice", Open(account="alice")), Receipt)
            second = group.create_task(new.run())
            assert isinstance(await new.do("open-bob", "bob", Open(account="bob")), Receipt)
            with pytest.raises(Busy, match="w2 writes the ledger"):  # of an account that nobody else has touched
                await old.do("open-carol", "carol", Open(account="carol"))
            await first
            assert (old.over, new.over) == (True, False)
            with pytest.raises(Busy):
                await old.do("open-carol", "carol", Open(account="carol"))
            second.cancel()
        found = await audit(node.transport)
        assert found.sound, found.problems
        assert found.transactions == {"open-alice", "open-bob"}


async def test_a_broker_that_is_killed_amid_transfers(server: NatsServer) -> None:
    async with (
        Node(server.url, name="one", agents={"one": EscrowLedger(issuer=ISSUER)}),
        Node(server.url, name="two", agents={"two": EscrowLedger(issuer=ISSUER)}),
        Node(server.url, name=ISSUER) as bank,
        Node(server.url, name="alice") as alice,
    ):
        escrow = EscrowClient(alice)
        await fund(bank, escrow, "alice")
        await EscrowClient(bank).open("open-till", "till")
        calls = [asyncio.create_task(escrow.transfer(f"a{number}", "alice", "till", 1)) for number in range(500)]
        await calls[0]
        await asyncio.to_thread(server.restart, kill=True)
        receipts = await asyncio.gather(*calls)
        assert len({receipt.transaction for receipt in receipts}) == 500
        assert (await escrow.balance("alice"), await escrow.balance("till")) == (500, 500)
        found = await audit(bank.transport)
        assert found.sound, found.problems
