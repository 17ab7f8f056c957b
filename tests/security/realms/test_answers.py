"""The right to answer opens nothing else: neither to who asks itself, nor by an agent that answers where it is told."""

from __future__ import annotations

import pytest

from agentbus import Node
from agentbus.errors import Unauthorized
from tests.transports.nats_world import until

from .test_spy import LOG, TEXT, Spy, realm_of_spies, spied

PURGE = f"$JS.API.STREAM.PURGE.{LOG}"
STOLEN = "$KV.plant_leases.keeper.door"
ENROL = "plant.any.agentbus-wire-v1-EnrolmentRequest"


async def kept(vault: Node) -> list[bytes]:
    found = [await vault.transport.last(*at) for at in ((LOG, "plant.log.note"), ("KV_plant_leases", STOLEN))]
    return [message.body for message in found if message is not None]


async def sent(spy: Spy, subject: str, body: bytes, reply: str = "") -> None:
    spy.transport.send(subject, body, reply)
    try:
        await spy.transport.flush()
    except Unauthorized:
        return


@pytest.mark.parametrize(
    ("role", "where"), [("agent", "plant.ev.x"), ("agent", "plant.to.spy.x"), ("observer", "$SRV.x")]
)
async def test_nobody_gives_itself_leave_by_asking_itself(worlds: object, role: str, where: str) -> None:
    async with spied(realm_of_spies(worlds), role) as (spy, vault, _):
        assert await spy.listen(where)
        for target in (PURGE, STOLEN):
            await sent(spy, where, b"x", target)
            await until(lambda: spy.heard, "what it asked itself", within_s=2.0)
            spy.heard.clear()
            await sent(spy, target, b"")
        assert await kept(vault) == [TEXT.encode()] * 2
        assert spy.transport.statistics().errors["permission"] == 2


@pytest.mark.parametrize(
    ("role", "where", "body"),
    [
        ("agent", "plant.to.keeper.google-protobuf-StringValue", b"x"),
        ("agent", "plant.to.keeper.google-protobuf-StringValue", b"\0x"),
        ("observer", "$SRV.INFO", b""),
        ("joiner", ENROL, b"\0x"),
        ("joiner", ENROL, b"x"),
    ],
)
async def test_no_agent_is_made_to_send_elsewhere(worlds: object, role: str, where: str, body: bytes) -> None:
    async with spied(realm_of_spies(worlds), role) as (spy, vault, guest):
        for target in (PURGE, STOLEN):
            await sent(spy, where, body, target)
        for _ in range(3):  # behind what was asked, on each of the links
            await guest.transport.flush()
            await vault.transport.flush()
        assert await kept(vault) == [TEXT.encode()] * 2
