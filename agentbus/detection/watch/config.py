"""The knobs of watching, and their formulas."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchConfig:
    """What is far from the others, and for how long it must be.

    Attributes:
        report_s: seconds between two reports of a node's load.
        probe_s: seconds between two probes; with n nodes each is probed by each other every (n - 1) * probe_s. Two of
            those must fit into `stale_s`, or what probes measure is never compared: up to n = 13 by the defaults.
        fanout: nodes that hear a report; 0: all, one message for each of the others. With k of n the traffic a node
            is k messages a report whatever n, and a node is known to k of the others, drawn anew each time, so
            `stale_s` should be at least 3 report_s * n / k.
        deviations: K. A value is far when it is above median + K * 1.4826 * MAD of the others' (1.4826 makes the MAD
            of a normal distribution its standard deviation; Hampel 1974).
        ratio: and above ratio * median: the MAD of values that are alike is 0.
        z: and above the agent's own exponentially weighted mean by this many of its standard deviations, once it
            has `warm` normal values behind it.
        alpha: weight of the newest value there.
        warm: values.
        least: peers with a fresh value of the measure, below which nobody is compared.
        persist_s: seconds for which it must be far, without a break, over at least 3 values.
        silent_s: seconds without report or answer after which a node that is believed alive is silent. Long enough
            for membership to find the dead first. An observer that heard nobody for a quarter of it was deaf
            itself, and counts anew.
        stale_s: seconds after which a value is not compared any more.
        lag_s: seconds by which this node's own loop may be late; beyond, it suspects nobody for `persist_s`.
        latency_floor_s: handlers and replies that take less are never slow.
        error_floor: shares of errors that are below are never abnormal.
        queue_floor: queues below are never abnormal.
        max_values: (agent, measure) pairs that are remembered.
    """

    report_s: float = 0.5
    probe_s: float = 0.25
    fanout: int = 0
    deviations: float = 6.0
    ratio: float = 3.0
    z: float = 4.0
    alpha: float = 0.1
    warm: int = 8
    least: int = 4
    persist_s: float = 1.5
    silent_s: float = 10.0
    stale_s: float = 6.0
    lag_s: float = 0.5
    latency_floor_s: float = 0.05
    error_floor: float = 0.05
    queue_floor: int = 64
    max_values: int = 16384

    def __post_init__(self) -> None:
        times = (self.report_s, self.probe_s, self.persist_s, self.silent_s, self.stale_s, self.lag_s)
        if min(times) <= 0:
            raise ConfigurationError(f"{self}: every ..._s is a number of seconds above 0")
        if self.stale_s < 2 * self.report_s:
            raise ConfigurationError(
                f"stale_s={self.stale_s}: at least two reports, {2 * self.report_s}, or all is stale"
            )
        if self.ratio <= 1.0 or self.deviations <= 0 or not 0.0 < self.alpha < 1.0 or self.least < 3:
            raise ConfigurationError(f"{self}: ratio > 1, deviations > 0, 0 < alpha < 1, least >= 3")
