"""From a node's counts to what happened since they were read before. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2s

from ...faults import ERRING, OVERLOADED, SLOW
from ...peers import PeerId
from ...statistics import AgentStatistics, NodeStatistics
from .config import WatchConfig
from .model import ERRORS, LATENCY, QUEUE, Load, Measured


class Rates:
    """One node's."""

    def __init__(self) -> None:
        self._before: dict[str, tuple[int, int, float]] = {}

    def since(self, statistics: NodeStatistics) -> list[Load]:
        """What each agent did since the call before: its handlers of messages; ticks are nobody's latency."""
        loads: list[Load] = []
        before, self._before = self._before, {}
        for name, agent in sorted(statistics.agents.items()):
            counts = _counts(agent)
            self._before[name] = counts
            old = before.get(name, (0, 0, 0.0))
            handled, errors, busy_s = counts[0] - old[0], counts[1] - old[1], counts[2] - old[2]
            done = handled + errors
            loads.append(
                Load(
                    agent=name,
                    group=_group(agent),
                    latency_s=busy_s / done if done > 0 else -1.0,
                    error_rate=errors / done if done > 0 else -1.0,
                    queued=agent.queued,
                )
            )
        return loads


def _counts(agent: AgentStatistics) -> tuple[int, int, float]:
    heard = [counters for counters in agent.behaviors.values() if counters.received]
    return (
        sum(counters.handled for counters in heard),
        sum(counters.errors + counters.dropped for counters in heard),
        sum(counters.busy_s for counters in heard),
    )


def _group(agent: AgentStatistics) -> str:
    return blake2s(" ".join(sorted(agent.behaviors)).encode(), digest_size=4).hexdigest()


def measured(loads: Iterable[Load], node: str, epoch: int, config: WatchConfig) -> list[Measured]:
    """A node's report, as numbers to compare."""
    values: list[Measured] = []
    for load in loads:
        agent = PeerId(load.agent, epoch)
        if load.latency_s >= 0:
            values.append(Measured(agent, node, LATENCY, load.latency_s, load.group, SLOW, config.latency_floor_s))
        if load.error_rate >= 0:
            values.append(Measured(agent, node, ERRORS, load.error_rate, load.group, ERRING, config.error_floor))
        values.append(Measured(agent, node, QUEUE, load.queued, load.group, OVERLOADED, config.queue_floor))
    return values
