"""People who approve in a realm, when their role gets another signing key."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from agentbus import Agent, Context, Node, rpc
from agentbus.errors import Unauthorized
from agentbus.security import Credentials
from agentbus.security.approvals import Approvals
from agentbus.security.approvals.signing import Approvers
from agentbus.security.realm.pushing import push
from agentbus.security.renewing import renewed
from tests.cli.commands import agentbus
from tests.transports.nats_world import until

from .world import World


class Till(Agent):
    """Pays, when a person says so."""

    @rpc(StringValue, StringValue, approval="payments")
    async def pay(self, what: StringValue, ctx: Context) -> StringValue:
        return StringValue(value=f"paid {what.value}")


def check(approvers: Approvers, person: Credentials) -> str:
    return approvers.check(person.pair.key, person.enrolment, "payments", "plant", time.time())


async def test_a_desk_believes_who_is_enrolled_under_the_new_key(world: World) -> None:
    identity = world.identity("shop")
    fixed, following = Approvers((), identity.issuers()), Approvers((), identity.issuers)
    before = world.credentials("anna", "approver", ("payments",))
    async with world.enroller(), Node(identity=identity) as shop:
        for _ in range(2):
            now_s = int(time.time())
            await push(world.realm, world.realm.rotate("approver", now_s), now_s)
        after = world.credentials("bert", "approver", ("payments",))
        await identity.take(await renewed(shop, identity.credentials, time.time()))
        assert check(following, after) == "bert"
        assert shop.transport.connected
    for approvers, person in ((fixed, after), (following, before)):
        with pytest.raises(Unauthorized, match="not by the issuer"):
            check(approvers, person)
    assert check(fixed, before) == "anna"


async def test_a_person_says_yes_at_a_desk_that_has_not_been_restarted(world: World, tmp_path: Path) -> None:
    identity, till = world.identity("shop"), Till()
    desk = Approvals(issuers=identity.issuers)
    agents = {"approvals": desk, "till": till}
    async with world.enroller(), Node(identity=identity, agents=agents) as shop, world.node("guest") as guest:
        now_s = int(time.time())
        await push(world.realm, world.realm.rotate("approver", now_s, keep=False), now_s)
        bert = tmp_path / "bert.id"
        world.credentials("bert", "approver", ("payments",)).save(bert)
        await identity.take(await renewed(shop, identity.credentials, time.time()))
        asking = asyncio.create_task(guest.request(StringValue(value="5"), StringValue, to="till", timeout_s=15.0))
        await until(lambda: len(desk._docket), "it waits for a person")
        (call,) = desk._docket
        said = await agentbus("approve", "yes", call.about.id, "--identity", str(bert))
        assert said.status == 0, said.err
        assert (await asking).value == "paid 5"
