"""The agent, beside Membership, in virtual time; and its packets on the wire."""

from __future__ import annotations

from random import Random

import pytest

from agentbus import Context, on
from agentbus.aggregation import Absolute, Aggregation, AggregationConfig, Aggregator, Summary, local
from agentbus.aggregation.codec import Aggregate, EstimateReply, EstimateRequest, decode, encode
from agentbus.aggregation.model import Contribute, Peers
from agentbus.membership import Membership
from agentbus.membership import local as local_membership
from agentbus.testing import Simulation


async def fleet(sim: Simulation, size: int) -> list[Aggregator]:
    aggregators = [Aggregator(local()) for _ in range(size)]
    for number, aggregator in enumerate(aggregators):
        aggregator.contribute("load", float(number))
        agents = {"membership": Membership(local_membership()), "aggregator": aggregator}
        await sim.node(f"n{number}", agents=agents)
    return aggregators


async def knows(sim: Simulation) -> None:
    aggregators = await fleet(sim, 6)
    sim.link(delay_s=(0.001, 0.01), loss=0.2, duplicate=0.05)
    await sim.sleep(30.0)
    for aggregator in aggregators:
        estimate = aggregator.estimate("load")
        assert estimate is not None
        assert estimate.nodes == pytest.approx(6, rel=1e-2)
        assert estimate.mean == pytest.approx(2.5, rel=1e-2)
        assert (estimate.minimum, estimate.maximum) == (0.0, 5.0)
    sim.link()
    sim.crash("n5")
    await sim.sleep(40.0)
    for aggregator in aggregators[:5]:
        estimate = aggregator.estimate("load")
        assert estimate is not None
        assert estimate.nodes == pytest.approx(5, rel=1e-3)
        assert estimate.mean == pytest.approx(2.0, rel=1e-3)
        assert estimate.maximum == 4.0
    asker = await sim.node("asker")
    reply = await asker.request(EstimateRequest(name="load"), EstimateReply, to="aggregator", timeout_s=1.0)
    assert reply.settled
    assert reply.mean == pytest.approx(2.0, rel=1e-3)


def test_a_fleet_knows_its_load_with_loss_and_after_a_crash() -> None:
    Simulation(seed=11).run(knows)


async def alone(sim: Simulation) -> None:
    (aggregator,) = await fleet(sim, 1)
    await sim.sleep(10.0)
    found = aggregator.estimate("load")
    assert found is not None
    assert (found.nodes, found.mean) == (1.0, 0.0)
    aggregator.withdraw("load")
    await sim.sleep(30.0)
    assert aggregator.estimate("load") is None
    assert aggregator.estimate("other") is None
    with pytest.raises(ValueError, match="without"):
        aggregator.contribute("a|b", 1.0)


def test_one_node_is_a_fleet_of_one() -> None:
    Simulation(seed=1).run(alone)


def packet() -> Aggregate:
    machine = Aggregation("a", 7, AggregationConfig(), Random(1), 0.0)
    machine.handle(Peers({"b": 3}), 0.0)
    machine.handle(Contribute("x", Summary([0.1, 0.9, 0.9], bins=Absolute(0.25))), 0.0)
    return encode(machine.step()[0].packet)


def test_a_packet_comes_through_the_wire_as_it_was() -> None:
    message = packet()
    again = Aggregate.FromString(message.SerializeToString())
    read = decode(again)
    assert read is not None
    assert encode(read) == message
    assert read.held["x|a0.25", "b", 3] == 2.0
    assert read.extrema == {"x|a0.25": (0.1, 0.9)}


def spoil(what: str) -> Aggregate:
    message = packet()
    if what == "version":
        message.version = 99
    elif what == "kind":
        message.kind = 0  # type: ignore[assignment]
    elif what == "source":
        message.source = "a b"
    elif what == "starter":
        message.starter = ""
    elif what == "epoch":
        message.epoch = 1 << 63
    elif what == "nan":
        message.held.weight = float("nan")
    elif what == "bins":
        message.held.series[0].bins.append(4)
    else:
        message.extrema[0].maximum = float("inf")
    return message


@pytest.mark.parametrize("what", ["version", "kind", "source", "starter", "epoch", "nan", "bins", "extrema"])
def test_what_makes_no_sense_is_not_read(what: str) -> None:
    assert decode(packet()) is not None
    assert decode(spoil(what)) is None


class Clumsy(Aggregator):
    """Some message makes it fail."""

    @on(EstimateReply, topic="stumble")
    async def stumble(self, message: EstimateReply, ctx: Context) -> None:
        raise RuntimeError("a defect")


async def stumbles(sim: Simulation) -> None:
    aggregator = Clumsy(local())
    node = await sim.node("n0", agents={"m": Membership(local_membership()), "aggregator": aggregator})
    aggregator.contribute("load", 3.0)
    await sim.sleep(10.0)
    await node.publish(EstimateReply(), topic="stumble")
    await sim.sleep(10.0)
    reply = await node.request(EstimateRequest(name="load"), EstimateReply, to="aggregator", timeout_s=1.0)
    assert reply.mean == 3.0


def test_a_failure_of_its_own_costs_no_part() -> None:
    Simulation(seed=2).run(stumbles)
