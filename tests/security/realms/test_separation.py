"""JetStream's answers are stored nowhere, whatever subject an agent names for them."""

from __future__ import annotations

import json

import pytest

from .test_spy import EPOCHS, ESCROW, LEASES, LOG, SEEN, realm_of_spies, spied

ASKED = {
    "info": (f"$JS.API.STREAM.INFO.{LOG}", {}),
    "get": (f"$JS.API.STREAM.MSG.GET.{LOG}", {"last_by_subj": "plant.log.mine"}),
    "next": (f"$JS.API.CONSUMER.MSG.NEXT.{LOG}.mine", {"batch": 3}),
    "make": (f"$JS.API.CONSUMER.CREATE.{LOG}.other", {"stream_name": LOG, "config": {"durable_name": "other"}}),
}
INTO = (
    "plant.epochs.set",
    "plant.seen.vault.x.y",
    "plant.log.another",
    "$KV.plant_escrow-bank.account.spy",
    "$KV.plant_leases.keeper.door",
    "plant.shard.press.in.0",
    f"$JS.API.STREAM.PURGE.{LEASES}",
)


@pytest.mark.parametrize("how", ASKED)
async def test_an_answer_of_the_broker_is_kept_nowhere(worlds: object, how: str) -> None:
    world = realm_of_spies(worlds)
    async with spied(world, "agent") as (spy, _, _guest), world.node("desk", role="operator", names=()) as desk:
        await spy.transport.store("plant.log.mine", b"evil", message_id="mine")
        config = {"durable_name": "mine", "ack_policy": "none", "filter_subject": "plant.log.mine"}
        made = await spy.ask(f"$JS.API.CONSUMER.CREATE.{LOG}.mine", {"stream_name": LOG, "config": config})
        assert "error" not in json.loads(made)
        streams = (EPOCHS, SEEN, ESCROW, LEASES, LOG, "agentbus_plant_shard_press_in")
        before = {stream: await desk.transport.subjects(stream, ">") for stream in streams}
        newest = {stream: await desk.transport.last(stream, ">") for stream in streams}
        subject, body = ASKED[how]
        for into in INTO:
            spy.transport.send(subject, json.dumps(body).encode(), into)
        await spy.transport.flush()
        await spy.ask(f"$JS.API.STREAM.INFO.{LOG}")  # behind them
        await desk.transport.flush()
        assert {stream: await desk.transport.subjects(stream, ">") for stream in streams} == before
        assert {stream: await desk.transport.last(stream, ">") for stream in streams} == newest
