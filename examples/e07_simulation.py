"""A test in simulation: the same agents, in virtual time, on a network that delays, loses and breaks.

An hour takes milliseconds, nothing waits for real, and everything that happens is decided by the seed: a test that
fails fails again, the same way, with the same seed. pytest runs `test_thermostat` as it is::

    pytest examples/e07_simulation.py
"""

from __future__ import annotations

from contextlib import suppress

from agentbus import Agent, Context, DeadlineExceeded, on
from agentbus.testing import Simulation

from .climate import Sensor, Thermostat
from .climate.v1.climate_pb2 import Alarm, TargetReply, TargetRequest
from .starting import parse_url


class Watchman(Agent):
    """Counts alarms."""

    def __init__(self) -> None:
        self.alarms = 0

    @on(Alarm)
    async def hear(self, alarm: Alarm, ctx: Context) -> None:
        """Counts one."""
        self.alarms += 1


async def scenario(sim: Simulation) -> str:
    """A room that is much too warm; then the thermostat is cut off; then its machine crashes."""
    watchman = Watchman()
    await sim.node("a", agents=[Thermostat(21.0)])
    b = await sim.node("b", agents=[Sensor(celsius=60.0), watchman])
    sim.link(delay_s=(0.01, 0.05), loss=0.1)

    await sim.sleep(60.0)
    before = watchman.alarms
    assert 30 < before <= 61, "a minute of readings, one a second; some readings and alarms are lost"

    sim.partition({"a"}, {"b"})
    with suppress(DeadlineExceeded):
        await b.request(TargetRequest(), TargetReply, to="thermostat", timeout_s=1.0)
        raise AssertionError("nobody can answer from beyond a partition")
    await sim.sleep(30.0)
    assert watchman.alarms <= before + 1, "whoever is cut off hears nothing"
    sim.heal()

    sim.crash("a")
    await sim.restart("a")
    sim.link(delay_s=(0.01, 0.05), loss=0.0)
    reply = await b.request(TargetRequest(), TargetReply, to="thermostat", timeout_s=1.0)
    assert reply.celsius == 21.0, "back, made of the same arguments"
    return f"{before} alarms in the first minute, none while cut off, {reply.celsius:g} degrees after the crash"


def test_thermostat() -> None:
    """What a test suite would hold."""
    Simulation(seed=7).run(scenario)


def main() -> None:
    """Runs the scenario twice with one seed, and once with another. There is no broker: a URL makes no difference."""
    parse_url(__name__)
    runs = [Simulation(seed=seed) for seed in (7, 7, 8)]
    for sim in runs:
        print(f"seed {sim.seed}: {sim.run(scenario)}")
    logs = [str(sim.log) for sim in runs]
    print(f"the same seed, the same log: {logs[0] == logs[1]}; another seed, another log: {logs[0] != logs[2]}")


if __name__ == "__main__":
    main()
