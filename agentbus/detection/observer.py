"""A node's observer: reports its own load, probes others, and tells whom it suspects."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from ..context import Context
from ..faults import SLOW
from ..peers import PeerId
from .codec import LoadReport, Probe, ProbeEcho, from_report, to_report
from .verdicts.model import Finding, Witness
from .watch.machine import Watch
from .watch.model import LAG, REPLY, Gauges, Measured, Suspicion
from .watch.rates import Rates, measured

NODES = "nodes"
"""The group of what is measured of nodes as a whole."""
MAX_PROBES = 1024
"""Probes whose answers are waited for; the oldest are given up."""


class Observer:
    """What the service does to watch.

    Args:
        ctx: to speak through.
        me: who answers for this node.
        gauges: the application's measures.
        watch: what is known of all.
    """

    def __init__(self, ctx: Context, me: Witness, gauges: Sequence[Gauges], watch: Watch) -> None:
        self._ctx = ctx
        self._me = me
        self._gauges = gauges
        self._config = watch.config
        self._watch = watch
        self._rates = Rates()
        self._probes: dict[int, tuple[str, float]] = {}
        self._number = 0
        self._to_probe: list[str] = []
        self._probe_at = self._report_at = -inf
        self._lag_s = 0.0

    # -- acting ----------------------------------------------------------------------------------------------------

    async def act(self, now: float, late_s: float) -> list[Suspicion]:
        """Reports and probes what is due; returns who is abnormal, once a report.

        Args:
            now: the time.
            late_s: seconds by which this call came late.
        """
        self._watch.late(late_s, now)
        self._lag_s = max(self._lag_s, late_s)
        if now >= self._probe_at:
            self._probe_at = now + self._config.probe_s
            await self._probe(now)
        if now < self._report_at:
            return []
        self._report_at = now + self._config.report_s
        await self._report(now)
        for gauge in self._gauges:
            self._watch.take(gauge.measured(), now)
        return self._watch.suspicions(now)

    async def _report(self, now: float) -> None:
        report = to_report(self._me, self._lag_s, self._rates.since(self._ctx.statistics()))
        self._lag_s = 0.0
        self._take_report(report, now)
        nodes = self._others()
        if not self._config.fanout or len(nodes) <= self._config.fanout:
            await self._ctx.publish(report, topic="all")
            return
        for node in self._ctx.rng.sample(nodes, self._config.fanout):
            await self._ctx.publish(report, topic=node)

    async def _probe(self, now: float) -> None:
        if not self._to_probe:
            self._to_probe = self._others()
            self._ctx.rng.shuffle(self._to_probe)
        if not self._to_probe:
            return
        node = self._to_probe.pop()
        self._number += 1
        self._probes[self._number] = (node, now)
        while len(self._probes) > MAX_PROBES:
            del self._probes[next(iter(self._probes))]
        await self._ctx.publish(Probe(node=self._me.node, number=self._number), topic=node)

    def _others(self) -> list[str]:
        return sorted({peer.node for peer in self._ctx.peers.alive()} - {self._me.node})

    # -- hearing ---------------------------------------------------------------------------------------------------

    def hear_report(self, report: LoadReport, now: float) -> None:
        """Another node's load, checked to be its own."""
        if report.node != self._me.node:
            self._take_report(report, now)

    def _take_report(self, report: LoadReport, now: float) -> None:
        who, loads = from_report(report)
        self._watch.heard(who, now)
        lag = Measured(who.id, who.node, LAG, report.lag_s, NODES, SLOW, self._config.latency_floor_s)
        self._watch.take([lag, *measured(loads, who.node, who.id.epoch, self._config)], now)

    def hear_echo(self, echo: ProbeEcho, now: float) -> None:
        """An answer to a probe. One that was lost says nothing about who was probed; silence does."""
        node, sent = self._probes.pop(echo.number, ("", 0.0))
        if node != echo.node:
            return
        who = Witness(PeerId(echo.by, echo.epoch), echo.node)
        self._watch.heard(who, now)
        self._watch.take([Measured(who.id, node, REPLY, now - sent, NODES, SLOW, self._config.latency_floor_s)], now)

    async def reproduce(self, kind: str, accused: PeerId, evidence: str) -> Finding:
        """What this node has seen itself of another's suspicion."""
        return self._watch.finding(kind, accused, evidence, self._ctx.now())
