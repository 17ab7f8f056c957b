"""Transfers by many agents while processes are killed: what the ledger says afterwards against what was asked of it.

Some processes host a ledger, one of them writes; others host the agents that pay one another. Now and then one of both
is killed with SIGKILL and started again; an agent that starts repeats what it has no receipt of, and the last that it
has. Oracle: the auditor, who does every transaction of the stream again; and the list that an agent's transfers are
drawn from, by which every id is to be there once and every balance is known.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections import Counter, deque
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

from agentbus import Agent, Context, Node, on_start
from agentbus.market import EscrowClient, EscrowConfig, EscrowLedger, audit
from agentbus.market.escrow.ledger import fetch, open_ledger
from agentbus.market.escrow.model import HEAD, Head
from agentbus.membership import Membership, local

from ..broker import nats_server
from ..child import Channel
from ..processes import Child, ChildFailed, child

LEDGER, BANK = "bench", "bank"
HOSTS = 3
AGENTS, PROCESSES = 16, 4
WINDOW = 32
AGAIN = 20
"""Transfers with a receipt that an agent that starts repeats."""
FUNDS = 10_000_000
HIGHEST = 1_000
PATIENCE_S = 60.0
DEADLINE_S = 600.0
TOLD_S = 0.05
AFTER_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """What is run.

    Attributes:
        transfers: in all.
        kills: of processes, evenly over the transfers.
        writers: how many of these are of the writer; the others are of processes whose agents pay.
        agents: who pay one another.
        processes: that they are in.
        window: transfers that an agent has under way at once.
    """

    transfers: int
    kills: int = 0
    writers: int = 0
    agents: int = AGENTS
    processes: int = PROCESSES
    window: int = WINDOW
    seed: int = 1


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of it.

    Attributes:
        transfers: that were asked for.
        took_s: wall time from the first to the last receipt, kills included.
        killed: how often whose process was killed: ``"writer"``, ``"standby"``, ``"client"``.
        pauses_s: the longest time without any receipt within `AFTER_S` of each kill of a writer.
        lost: transfers that are not in the ledger.
        unknown: transactions in the ledger that nobody asked for.
        wrong: accounts whose balance is another than the transfers make it.
        problems: the auditor's.
        batches: commits.
    """

    transfers: int
    took_s: float = 0.0
    killed: Counter[str] = field(default_factory=Counter[str])
    pauses_s: list[float] = field(default_factory=list[float])
    lost: int = 0
    unknown: int = 0
    wrong: int = 0
    problems: tuple[str, ...] = ()
    batches: int = 0

    @property
    def rate(self) -> float:
        """Transfers a second."""
        return self.transfers / self.took_s


def names(agents: int) -> list[str]:
    """Of agents, and of their accounts."""
    return [f"agent-{number}" for number in range(agents)]


def transfer(agent: str, number: int, agents: int, seed: int) -> tuple[str, str, int]:
    """One of the transfers of an agent: id, payee, amount."""
    rng = Random(f"{seed}/{agent}/{number}")
    payee = rng.choice([name for name in names(agents) if name != agent])
    return f"{agent}-{number}", payee, rng.randint(1, HIGHEST)


# -- the processes -------------------------------------------------------------------------------------------------


async def host(channel: Channel, *, url: str, name: str) -> Mapping[str, Any]:
    """A process that hosts the ledger."""
    agents = {"membership": Membership(local()), name: EscrowLedger(LEDGER, issuer=BANK, config=config())}
    async with Node(url, name=f"node-{name}", agents=agents):
        channel.tell("ready")
        await channel.told(timeout_s=DEADLINE_S)
    return {}


def config() -> EscrowConfig:
    """The ledger's: the defaults."""
    return EscrowConfig()


class Payer(Agent):
    """Pays by its list, and keeps a list of the receipts in a file."""

    def __init__(self, count: int, agents: int, window: int, seed: int, folder: str) -> None:
        self.count = count
        self.agents = agents
        self.window = window
        self.seed = seed
        self.folder = Path(folder)
        self.done = 0

    @on_start
    async def begin(self, ctx: Context) -> None:
        self.me = ctx.me
        self.escrow = EscrowClient(ctx, LEDGER, timeout_s=PATIENCE_S)

    async def pay(self) -> None:
        """All of it."""
        path = self.folder / self.me
        receipts = [int(line) for line in path.read_text().split()] if path.exists() else []
        paid = set(receipts)
        self.done = len(paid)
        todo = deque([*receipts[-AGAIN:], *(number for number in range(self.count) if number not in paid)])
        with path.open("ab", buffering=0) as file:
            async with asyncio.TaskGroup() as group:
                for _ in range(self.window):
                    group.create_task(self._work(todo, paid, file.fileno()))

    async def _work(self, todo: deque[int], paid: set[int], file: int) -> None:
        while todo:
            number = todo.popleft()
            transaction, payee, amount = transfer(self.me, number, self.agents, self.seed)
            receipt = await self.escrow.transfer(transaction, self.me, payee, amount)
            if receipt.transaction != transaction or receipt.entries[1].amount != amount:
                raise AssertionError(f"{transaction}: the receipt is another's: {receipt}")
            if number not in paid:
                paid.add(number)
                os.write(file, b"%d\n" % number)
                self.done += 1


async def pay(
    channel: Channel, *, url: str, mine: list[str], count: int, agents: int, window: int, seed: int, folder: str
) -> Mapping[str, Any]:
    """A process of some agents that pay."""
    payers = {name: Payer(count, agents, window, seed, folder) for name in mine}
    async with Node(url, name=f"node-of-{mine[0]}", agents=payers):
        channel.tell("ready")
        await channel.told(timeout_s=DEADLINE_S)
        paying = asyncio.gather(*(payer.pay() for payer in payers.values()))
        while not paying.done():
            await asyncio.wait([paying], timeout=TOLD_S)
            channel.tell("so far", done=sum(payer.done for payer in payers.values()))
        await paying
    return {}


# -- the run -------------------------------------------------------------------------------------------------------


class Run:
    """One arm, on one broker."""

    def __init__(self, arm: Arm, url: str, folder: str) -> None:
        self.arm = arm
        self.outcome = Outcome(transfers=arm.transfers)
        self._url = url
        self._folder = folder
        self._rng = Random(arm.seed)
        self._stack = AsyncExitStack()
        self._hosts: dict[str, Child] = {}
        self._clients: dict[int, Child] = {}
        self._done: dict[int, int] = {}
        self._moved: list[float] = []  # when somebody told of further receipts
        self._killed: list[float] = []  # when the writer was
        self._finished: set[int] = set()
        self._listening: dict[int, asyncio.Task[None]] = {}

    async def whole(self) -> Outcome:
        """Runs it, and audits."""
        async with self._stack, Node(self._url, name=BANK) as bank:
            await asyncio.gather(*(self._start_host(f"ledger-{number}") for number in range(HOSTS)))
            await self._endow(bank)
            loop = asyncio.get_running_loop()
            await asyncio.gather(*(self._start_client(number) for number in range(self.arm.processes)))
            began = loop.time()
            for number in self._clients:
                self._go(number)
            await self._disturb(bank)
            await self._all_done()
            self.outcome.took_s = loop.time() - began
            self.outcome.pauses_s = [self._pause(killed) for killed in self._killed]
            for running in self._hosts.values():
                running.tell(word="stop")
            await asyncio.gather(*(running.expect("done") for running in self._hosts.values()))
            await self._judge(bank)
        return self.outcome

    async def _start_host(self, name: str) -> None:
        options = {"url": self._url, "name": name}
        running = await self._stack.enter_async_context(
            child("bench.markets.ledger:host", options, deadline_s=DEADLINE_S)
        )
        await running.expect("ready")
        self._hosts[name] = running

    async def _endow(self, bank: Node) -> None:
        """Accounts for all, and money in them. An agent opens its own; here a node of its name does so for it."""
        escrow = EscrowClient(bank, LEDGER, timeout_s=PATIENCE_S)
        for name in names(self.arm.agents):
            async with Node(self._url, name=name) as agent:
                await EscrowClient(agent, LEDGER).open(f"open-{name}", name)
            await escrow.transfer(f"endow-{name}", BANK, name, FUNDS)

    async def _start_client(self, number: int) -> None:
        arm = self.arm
        options = {
            "url": self._url,
            "mine": names(arm.agents)[number :: arm.processes],
            "count": arm.transfers // arm.agents,
            "agents": arm.agents,
            "window": arm.window,
            "seed": arm.seed,
            "folder": self._folder,
        }
        running = await self._stack.enter_async_context(
            child("bench.markets.ledger:pay", options, deadline_s=DEADLINE_S)
        )
        await running.expect("ready")
        self._clients[number] = running

    def _go(self, number: int) -> None:
        self._clients[number].tell(word="go")
        self._listening[number] = asyncio.get_running_loop().create_task(self._listen(number))

    async def _listen(self, number: int) -> None:
        """Hears a client until it has done all, or was killed."""
        running, loop = self._clients[number], asyncio.get_running_loop()
        while True:
            heard = await running.hear()
            if heard["word"] == "done":
                self._finished.add(number)
                return
            if heard["done"] > self._done.get(number, 0):
                self._done[number] = heard["done"]
                self._moved.append(loop.time())

    async def _all_done(self) -> None:
        while len(self._finished) < self.arm.processes:
            await asyncio.gather(*(task for number, task in self._listening.items() if number not in self._finished))

    # -- kills -----------------------------------------------------------------------------------------------------

    async def _disturb(self, bank: Node) -> None:
        """Kills, evenly over the transfers."""
        arm = self.arm
        kinds = ["writer"] * arm.writers + ["client"] * (arm.kills - arm.writers)
        self._rng.shuffle(kinds)
        for number, kind in enumerate(kinds, 1):
            due = arm.transfers * number // (arm.kills + 1)
            while sum(self._done.values()) < due:
                await asyncio.sleep(0.01)
                for task in self._listening.values():
                    if task.done():
                        task.result()
            await (self._kill_writer(bank) if kind == "writer" else self._kill_client())

    async def _kill_writer(self, bank: Node) -> None:
        bucket = await open_ledger(bank.transport, LEDGER, realm="default", config=config())
        _, head = await fetch(bucket, HEAD)
        assert isinstance(head, Head)
        self._killed.append(asyncio.get_running_loop().time())
        await self._hosts.pop(head.writer).kill()
        self.outcome.killed["writer"] += 1
        await self._start_host(head.writer)

    def _pause(self, killed: float) -> float:
        """The longest time between two tellings, of those that end within `AFTER_S` of a kill."""
        gaps = [later - earlier for earlier, later in pairwise(self._moved) if killed <= later <= killed + AFTER_S]
        return max(gaps, default=0.0)

    async def _kill_client(self) -> None:
        running = [number for number in self._clients if number not in self._finished]
        if not running:
            return
        number = self._rng.choice(running)
        self._listening[number].cancel()
        await self._clients[number].kill()
        self.outcome.killed["client"] += 1
        await self._start_client(number)
        self._go(number)

    # -- the oracle ------------------------------------------------------------------------------------------------

    async def _judge(self, bank: Node) -> None:
        arm, outcome = self.arm, self.outcome
        asked: set[str] = set()
        balances = dict.fromkeys(names(arm.agents), FUNDS)
        for agent in names(arm.agents):
            for number in range(arm.transfers // arm.agents):
                transaction, payee, amount = transfer(agent, number, arm.agents, arm.seed)
                asked.add(transaction)
                balances[agent] -= amount
                balances[payee] += amount
        found = await audit(bank.transport, LEDGER, config=config(), timeout_s=DEADLINE_S)
        prepared = {f"{word}-{name}" for word in ("open", "endow") for name in names(arm.agents)}
        outcome.lost = len(asked - found.transactions)
        outcome.unknown = len(found.transactions - asked - prepared)
        outcome.wrong = sum(found.accounts[name].balance != balance for name, balance in balances.items())
        outcome.problems = found.problems
        bucket = await open_ledger(bank.transport, LEDGER, realm="default", config=config())
        _, head = await fetch(bucket, HEAD)
        outcome.batches = head.batches if isinstance(head, Head) else 0


async def measure(arm: Arm) -> Outcome:
    """Runs an arm on a nats-server of its own. Raises `ChildFailed`: a process failed by itself."""
    with tempfile.TemporaryDirectory(prefix="bench-ledger-") as folder:
        async with nats_server() as url, asyncio.timeout(DEADLINE_S):
            return await Run(arm, url, folder).whole()


__all__ = ["Arm", "ChildFailed", "Outcome", "measure"]
