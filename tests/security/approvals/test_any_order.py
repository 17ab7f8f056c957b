"""Whatever is lost, doubled, forged or restarted: what was paid had a yes of its own, and each call is decided once."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress

import pytest

from agentbus import Agent, Context, Node, rpc
from agentbus.errors import Busy, DeadlineExceeded, NoResponders, Refused
from agentbus.security.approvals import Approvals, ApprovalsConfig, WaitingCall, WaitingReply, verified_answer
from agentbus.testing import Simulation
from examples.climate.v1.climate_pb2 import Reading, TargetReply

from .world import ANNA, MALLORY, Recorder, say, waiting

PAID: Counter[int] = Counter()


class Cashier(Agent):
    """Notes for all of its lives what it has paid."""

    @rpc(Reading, TargetReply, approval="payments")
    async def pay(self, request: Reading, ctx: Context) -> TargetReply:
        PAID[round(request.celsius)] += 1
        return TargetReply(celsius=request.celsius)


async def ask(client: Node, amount: int, timeout_s: float) -> str:
    try:
        reply = await client.request(Reading(celsius=amount), TargetReply, to="cashier", timeout_s=timeout_s)
        assert reply.celsius == amount
        return "paid"
    except (Refused, DeadlineExceeded, Busy, NoResponders) as error:
        return type(error).__name__


@pytest.mark.parametrize("seed", range(6))
def test_what_was_paid_had_a_yes_of_its_own(seed: int) -> None:
    PAID.clear()
    yes: dict[int, set[str]] = {}  # by the amount: the calls for which a good yes was ever signed
    book = Recorder()

    async def scenario(sim: Simulation) -> list[str]:
        rng = sim.rng
        await sim.node("shop", agents=[Cashier(), Approvals([ANNA.public], config=ApprovalsConfig(wait_s=20))])
        client = await sim.node("client", agents=[book])
        sim.link("shop", delay_s=(0.0, 0.05), loss=0.1, duplicate=0.1)
        calls: list[asyncio.Task[str]] = []
        seen: list[tuple[WaitingReply, WaitingCall]] = []
        for amount in range(60):
            calls.append(asyncio.create_task(ask(client, amount, rng.uniform(1.0, 40.0))))
            await sim.sleep(rng.uniform(0.0, 0.5))
            seen = [*seen, *(await waiting(client))][-20:]
            for _ in range(2 if seen else 0):
                where, call = rng.choice(seen)
                trick = rng.choice(["yes", "yes", "no", "forged", "moved", "dear"])
                said = WaitingCall.FromString(call.SerializeToString())
                if trick == "moved":
                    said.id = rng.choice(seen)[1].id
                elif trick == "dear":
                    said.payload = Reading(celsius=999).SerializeToString()
                # a request that came twice is two calls, and one's particulars are the other's
                fits = any((c.id, c.message_id) == (said.id, said.message_id) for _, c in seen)
                good = trick == "yes" or (trick == "moved" and fits)
                if good:
                    yes.setdefault(round(Reading.FromString(call.payload).celsius), set()).add(said.id)
                with suppress(ValueError):  # the answer, or the desk's word, was lost
                    pair = MALLORY if trick == "forged" else ANNA
                    told = await say(client, where, said, approved=trick != "no", pair=pair)
                    assert told.error or good or trick == "no"
            if rng.random() < 0.03:
                if rng.random() < 0.5:
                    sim.crash("shop")
                await sim.restart("shop")
        sim.link("shop")
        ends = await asyncio.gather(*calls)
        await sim.sleep(30)
        return ends

    ends = Simulation(seed=seed).run(scenario)
    for amount, count in PAID.items():
        assert count <= len(yes.get(amount, ())), f"{amount} was paid without a yes"
    assert sum(PAID.values()) >= ends.count("paid") > 0
    assert {"Refused", "DeadlineExceeded"} <= set(ends)
    outcomes: dict[str, set[int]] = {}
    for event in book.heard:
        outcomes.setdefault(event.id, set()).add(event.outcome)
        if event.proof.signed:
            answer = verified_answer(event.proof.signed, event.proof.key)
            assert (answer.about.id, answer.about.payload_sha256) == (event.id, event.payload_sha256)
    assert all(len(told) == 1 for told in outcomes.values()), "a call is decided once"
