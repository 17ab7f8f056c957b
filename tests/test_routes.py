"""Shared subscriptions: one a node on plain subjects, one an agent in queue groups, and how a frame is shared."""

from __future__ import annotations

from google.protobuf.wrappers_pb2 import Int64Value
from structlog.testing import capture_logs

from agentbus import Agent, Context, Node, on
from agentbus.transports.memory import MemoryBroker, MemoryTransport

from .waiting import until


class Member(Agent):
    """One of a queue group."""

    def __init__(self, heard: list[int]) -> None:
        self.heard = heard

    @on(Int64Value, topic="jobs.*", queue="workers")
    async def work(self, job: Int64Value, ctx: Context) -> None:
        self.heard.append(job.value)


class Loner(Agent):
    """Hears by itself."""

    def __init__(self, heard: list[int]) -> None:
        self.heard = heard

    @on(Int64Value, topic="jobs.*")
    async def hear(self, job: Int64Value, ctx: Context) -> None:
        self.heard.append(job.value)


async def test_a_queue_group_gets_each_event_once(url: str) -> None:
    heard: list[list[int]] = [[] for _ in range(4)]
    agents = {f"m{index}": Member(mine) for index, mine in enumerate(heard)}
    first, second = dict(list(agents.items())[:2]), dict(list(agents.items())[2:])
    async with Node(url, agents=first), Node(url, agents=second), Node(url) as speaker:
        for number in range(200):
            await speaker.publish(Int64Value(value=number), topic="jobs.a", spread=True)
        await until(lambda: sum(map(len, heard)) == 200)
        assert sorted(number for mine in heard for number in mine) == list(range(200))
        assert all(mine == sorted(mine) for mine in heard)
        assert all(mine for mine in heard)


async def test_a_coalesced_frame_is_shared_among_the_members_on_the_node_and_said_once(url: str) -> None:
    heard: list[list[int]] = [[] for _ in range(3)]
    with capture_logs() as logs:
        agents = {f"m{index}": Member(mine) for index, mine in enumerate(heard)}
        async with Node(url, agents=agents) as node, Node(url) as speaker:
            for _ in range(2):
                sent = sum(map(len, heard))
                for number in range(100):
                    await speaker.publish(Int64Value(value=sent + number), topic="jobs.a")
                await until(lambda sent=sent: sum(map(len, heard)) == sent + 100)
            assert sorted(number for mine in heard for number in mine) == list(range(200))
            assert all(mine == sorted(mine) for mine in heard)
            assert all(len(mine) >= 60 for mine in heard)
            assert node.statistics().coalesced == 198
    warnings = [entry for entry in logs if "a queue group got several messages in one frame" in entry["event"]]
    assert len(warnings) == 1
    assert warnings[0]["remedy"].startswith("publish(..., spread=True)")


async def test_a_frame_of_fewer_messages_than_members_goes_to_as_many(url: str) -> None:
    heard: list[list[int]] = [[] for _ in range(5)]
    async with Node(url, agents={f"m{i}": Member(mine) for i, mine in enumerate(heard)}), Node(url) as speaker:
        for number in range(3):
            await speaker.publish(Int64Value(value=number), topic="jobs.a")
        await until(lambda: sum(map(len, heard)) == 3)
        assert sorted(number for mine in heard for number in mine) == [0, 1, 2]


async def test_two_groups_and_a_loner_hear_independently(url: str) -> None:
    class Other(Agent):
        def __init__(self, heard: list[int]) -> None:
            self.heard = heard

        @on(Int64Value, topic="jobs.*", queue="auditors")
        async def audit(self, job: Int64Value, ctx: Context) -> None:
            self.heard.append(job.value)

    heard: list[list[int]] = [[], [], []]
    agents = {"a": Member(heard[0]), "b": Other(heard[1]), "c": Loner(heard[2])}
    async with Node(url, agents=agents), Node(url) as speaker:
        for number in range(10):
            await speaker.publish(Int64Value(value=number), topic="jobs.x")
        await until(lambda: all(len(mine) == 10 for mine in heard))
        assert heard == [list(range(10))] * 3


async def test_a_thousand_agents_on_one_subject_share_one_subscription() -> None:
    broker = MemoryBroker()

    class Counting(MemoryTransport):
        subscribed: list[str] = []  # noqa: RUF012 - one list for the test

        def subscribe(self, subject, receiver, queue=""):  # type: ignore[no-untyped-def]
            self.subscribed.append(subject)
            return super().subscribe(subject, receiver, queue)

    heard: list[int] = []
    agents = {f"l{index}": Loner(heard) for index in range(1000)}
    async with Node(transport=Counting(broker), agents=agents) as node:
        assert Counting.subscribed.count("default.ev.google-protobuf-Int64Value.jobs.*") == 1
        assert len(Counting.subscribed) == 1000 + 1 + 1 + 1 + 6, "one an agent, the shared, the inbox, why, $SRV"
        await node.publish(Int64Value(value=1), topic="jobs.a")
        await until(lambda: len(heard) == 1000)


async def test_the_last_listener_to_go_ends_the_subscription_and_the_next_begins_it(url: str) -> None:
    heard: list[list[int]] = [[], [], []]
    async with Node(url, agents={"a": Loner(heard[0]), "b": Loner(heard[1])}) as node:
        await node.remove("a")
        await node.publish(Int64Value(value=1), topic="jobs.a")
        await until(lambda: heard[1])
        await node.remove("b")
        await node.publish(Int64Value(value=2), topic="jobs.a")
        await node.add(Loner(heard[2]), name="c")
        await node.publish(Int64Value(value=3), topic="jobs.a")
        await until(lambda: heard[2])
        assert heard == [[], [1], [3]]


async def test_a_member_that_goes_leaves_its_share_to_the_others(url: str) -> None:
    heard: list[list[int]] = [[], []]
    async with Node(url, agents={"a": Member(heard[0]), "b": Member(heard[1])}) as node, Node(url) as speaker:
        await node.remove("a")
        for number in range(20):
            await speaker.publish(Int64Value(value=number), topic="jobs.a")
        await until(lambda: len(heard[1]) == 20)
        await node.remove("b")
        assert heard[0] == []
        assert node.routes._groups == {}
