"""A team on the bus: its key follows its membership, whatever is lost, restarted or told again."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from agentbus import Agent, Context, Node, on, rpc
from agentbus.errors import ConfigurationError, DeadlineExceeded, Unauthorized
from agentbus.security import KeyPair
from agentbus.security.sealing import (
    GroupConfig,
    GroupEpoch,
    GroupKeeper,
    GroupMember,
    Sealed,
    seal,
    unseal,
)
from agentbus.testing import Simulation
from examples.climate.v1.climate_pb2 import Reading, TargetReply
from tests.nats_server import NatsServer
from tests.waiting import until

KEEPER = KeyPair(bytes(31) + b"k")
ANNA, BERT, CARL = (KeyPair(bytes([n]) * 32) for n in range(1, 4))
NAMES = {"anna": ANNA, "bert": BERT, "carl": CARL}
SECRET = Reading(room="treasury")


def member(pair: KeyPair) -> GroupMember:
    return GroupMember("team", pair, KEEPER.public)


class Ear(Agent):
    """Opens what it hears, and notes it."""

    def __init__(self, team: GroupMember) -> None:
        self.team = team
        self.heard: list[tuple[bytes, Reading]] = []
        self.refused: list[str] = []

    @on(Sealed, topic="board")
    async def read(self, sealed: Sealed, ctx: Context) -> None:
        try:
            self.heard.append((sealed.sender, self.team.unseal(sealed, Reading)))
        except Unauthorized as error:
            self.refused.append(str(error))


def run(scenario: Callable[[Simulation], Coroutine[Any, Any, None]], seed: int = 1) -> None:
    Simulation(seed=seed).run(scenario)


class World:
    """A keeper, and people with an ear each."""

    def __init__(self, *named: str) -> None:
        self.keeper = GroupKeeper("team", KEEPER, [NAMES[name].public for name in named])
        self.teams = {name: member(pair) for name, pair in NAMES.items()}
        self.ears = {name: Ear(team) for name, team in self.teams.items()}
        self.nodes: dict[str, Node] = {}

    async def start(self, sim: Simulation, *, keeper_last: bool = False) -> None:
        if not keeper_last:
            await sim.node("keeper", agents=[self.keeper])
        for name in NAMES:
            self.nodes[name] = await sim.node(name, agents=[self.teams[name], self.ears[name]])
        if keeper_last:
            await sim.node("keeper", agents=[self.keeper])

    async def post(self, name: str, sealed: Sealed) -> None:
        await self.nodes[name].publish(sealed, topic="board")


@pytest.mark.parametrize("keeper_last", [False, True])
def test_a_team_talks_and_nobody_else_listens(keeper_last: bool) -> None:
    async def scenario(sim: Simulation) -> None:
        world = World("anna", "bert")
        await world.start(sim, keeper_last=keeper_last)
        for name in ("anna", "bert"):
            assert await world.teams[name].ready() == world.keeper.epoch
        await world.post("anna", world.teams["anna"].seal(SECRET))
        await sim.until(lambda: world.ears["bert"].heard and world.ears["carl"].refused)
        assert world.ears["bert"].heard == [(ANNA.key, SECRET)]
        assert world.ears["carl"].heard == []
        with pytest.raises(Unauthorized, match=r"can't seal for group 'team': left out of it"):
            world.teams["carl"].seal(SECRET)
        with pytest.raises(DeadlineExceeded, match="no key of group"):
            await world.teams["carl"].ready(timeout_s=3.0)

    run(scenario)


def test_who_left_opens_nothing_after_and_who_joined_nothing_before() -> None:
    async def scenario(sim: Simulation) -> None:
        world = World("anna", "bert")
        await world.start(sim)
        await world.teams["bert"].ready()
        before = world.teams["anna"].seal(SECRET)
        first = world.keeper.epoch
        await world.keeper.set_members([ANNA.public, CARL.public])  # bert leaves, carl joins
        assert world.keeper.epoch != first
        assert await world.teams["carl"].ready() == world.keeper.epoch
        after = world.teams["anna"].seal(SECRET)
        assert after.epoch == world.keeper.epoch
        # who joined, what came before
        with pytest.raises(Unauthorized, match="is over"):
            world.teams["carl"].unseal(before, Reading)
        # who left, what came after; what was under way it may still open, for a while
        with pytest.raises(Unauthorized, match="not known yet"):
            world.teams["bert"].unseal(after, Reading)
        assert world.teams["bert"].unseal(before, Reading) == SECRET
        await sim.sleep(31)
        for name in ("anna", "bert"):
            with pytest.raises(Unauthorized):
                world.teams[name].unseal(before, Reading)
        assert world.teams["carl"].unseal(after, Reading) == SECRET
        assert world.teams["bert"]._ring.get(after.epoch, sim.now()) is None
        with pytest.raises(Unauthorized, match="left out"):
            world.teams["bert"].seal(SECRET)

    run(scenario)


def test_a_word_that_was_lost_is_asked_for() -> None:
    async def scenario(sim: Simulation) -> None:
        world = World("anna", "bert")
        await world.start(sim)
        await world.teams["bert"].ready()
        sim.partition(["bert"])
        await world.keeper.set_members([ANNA.public, BERT.public, CARL.public])
        await sim.sleep(5)
        sim.heal()
        await sim.until(lambda: world.teams["anna"].seal(SECRET).epoch == world.keeper.epoch)
        late = world.teams["anna"].seal(SECRET)
        with pytest.raises(Unauthorized, match="not known yet"):
            world.teams["bert"].unseal(late, Reading)
        await sim.until(lambda: world.teams["bert"]._ring.get(late.epoch, sim.now()), timeout_s=3.0)
        assert world.teams["bert"].unseal(late, Reading) == SECRET

    run(scenario)


def test_a_keeper_that_begins_again_has_a_new_key() -> None:
    async def scenario(sim: Simulation) -> None:
        world = World("anna", "bert")
        await world.start(sim)
        first = await world.teams["anna"].ready()
        await sim.sleep(5)
        sim.crash("keeper")
        assert world.teams["bert"].unseal(world.teams["anna"].seal(SECRET), Reading) == SECRET
        await sim.restart("keeper")
        await sim.until(lambda: world.teams["anna"].seal(SECRET).epoch > first)
        await sim.until(lambda: world.teams["bert"].seal(SECRET).epoch > first)
        assert world.teams["bert"].unseal(world.teams["anna"].seal(SECRET), Reading) == SECRET

    run(scenario)


def test_an_epoch_from_long_ago_is_not_believed_by_who_has_just_begun() -> None:
    async def scenario(sim: Simulation) -> None:
        world = World("anna", "bert")
        heard: list[bytes] = []
        spy = await sim.node("spy")
        pattern = spy.subjects.event(GroupEpoch.DESCRIPTOR.full_name, "team")
        spy.transport.subscribe(pattern, lambda s, body, r, h: heard.append(body))
        await world.start(sim)
        await world.teams["bert"].ready()
        old = list(heard)
        await world.keeper.set_members([ANNA.public, CARL.public])  # bert, who left, knows the former key
        await sim.sleep(1)
        sim.crash("keeper")
        await sim.restart("anna")  # and knows nothing of epochs
        fresh = sim._members.get("anna").node
        assert fresh is not None
        team = fresh.cells["group-member"].agent
        assert isinstance(team, GroupMember)
        for body in old:
            spy.transport.send(pattern, body)
        await sim.sleep(5)
        with pytest.raises(Unauthorized, match="not told its key yet"):
            team.seal(SECRET)
        await sim.restart("keeper")

    run(scenario)


def test_what_is_not_the_keepers_changes_nothing() -> None:
    async def scenario(sim: Simulation) -> None:
        world = World("anna", "bert")
        await world.start(sim)
        epoch = await world.teams["anna"].ready()
        liar = await sim.node("liar", agents=[GroupKeeper("team", CARL, [ANNA.public, CARL.public])])
        await sim.sleep(3)
        assert world.teams["anna"].seal(SECRET).epoch == epoch
        await liar.publish(GroupEpoch(group="team", epoch=2**63, keeper=KEEPER.key), topic="team")
        await sim.sleep(3)
        assert world.teams["anna"].seal(SECRET).epoch == epoch
        assert world.nodes["anna"].agent_statistics("group-member").state == "running"

    run(scenario)


def test_a_member_of_one_group_is_none_of_another() -> None:
    team = GroupMember("team", ANNA, KEEPER.public)
    with pytest.raises(Unauthorized, match="not sealed for group 'team'"):
        team.unseal(Sealed(group="other", type="x"), Reading)
    with pytest.raises(Unauthorized, match="has not started"):
        team.unseal(Sealed(group="team", type="x"), Reading)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: GroupKeeper("a b", KEEPER), "group 'a b'"),
        (lambda: GroupKeeper("team", KEEPER, ["nonsense"]), "public NKEY"),
        (lambda: GroupKeeper("team", KEEPER, ANNA.public), "not one text"),
        (
            lambda: GroupKeeper("team", KEEPER, [ANNA.public, BERT.public], config=GroupConfig(members=1)),
            "2 members, 1 are allowed",
        ),
        (lambda: GroupMember("team", ANNA, "nonsense"), "public NKEY"),
    ],
)
def test_what_can_not_be_is_refused(make: Callable[[], object], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        make()


class Vault(Agent):
    """Answers sealed requests with sealed replies."""

    def __init__(self, pair: KeyPair, allowed: bytes) -> None:
        self.pair, self.allowed = pair, allowed

    @rpc(Sealed, Sealed)
    async def open(self, sealed: Sealed, ctx: Context) -> Sealed:
        request = unseal(sealed, Reading, self.pair, sender=self.allowed)
        return seal(TargetReply(celsius=request.celsius + 1), to=sealed.sender, sender=self.pair)


async def test_on_a_real_broker(tmp_path: Path) -> None:
    server = NatsServer(tmp_path).start()
    try:
        keeper = GroupKeeper("team", KEEPER, [ANNA.public])
        anna, bert = member(ANNA), member(BERT)
        ear = Ear(bert)
        async with (
            Node(server.url, agents=[keeper]),
            Node(server.url, agents=[anna, Vault(ANNA, BERT.key)]) as one,
            Node(server.url, agents=[bert, ear]) as two,
        ):
            await anna.ready()
            await keeper.set_members([ANNA.public, BERT.public])
            await bert.ready()
            await until(lambda: anna.seal(SECRET).epoch == keeper.epoch)
            seen: list[bytes] = []
            two.transport.subscribe("default.>", lambda s, body, r, h: seen.append(body))
            await two.transport.flush()
            await one.publish(anna.seal(SECRET), topic="board")
            await until(lambda: ear.heard == [(ANNA.key, SECRET)])
            sealed = await two.request(seal(SECRET, to=ANNA.key, sender=BERT), Sealed, to="vault")
            assert unseal(sealed, TargetReply, BERT, sender=ANNA.key).celsius == 1
            with pytest.raises(Unauthorized, match="by another than"):
                await two.request(seal(SECRET, to=ANNA.key, sender=CARL), Sealed, to="vault")
            assert any(b"examples.climate.v1.Reading" in body for body in seen)
            assert not any(b"treasury" in body for body in seen)
    finally:
        server.stop(kill=True)
