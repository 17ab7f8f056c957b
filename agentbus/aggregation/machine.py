"""Gossip of sums: whom to push to, what to give, and what that makes of the fleet's numbers. Pure.

A mass is a sparse vector: a count, a sum, squares and bins for each series, a weight of 1 for each node, and a root of
1 for the node that began the epoch. Rounds even the masses out over the fleet: then each node holds the same share of
all that was contributed, and a sum is what it holds, divided by its share of the root.

* push-sum: a node gives half of what it holds to a random other (D. Kempe, A. Dobra, J. Gehrke, FOCS 2003, section 2);
* push-pull: a node and a random other take the mean (M. Jelasity, A. Montresor, O. Babaoglu, TOCS 23(3), 2005: section
  3.2; section 4 for epochs, and extrema).

Gifts are kept in a `Ledger`, so mass survives loss, duplication, reordering and churn. An epoch's end begins another:
extrema and errors do not live for ever. Of two epochs begun at once the greater id counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from .bins import bins_of
from .config import AggregationConfig
from .ledger import Ledger, Link
from .model import (
    BIN,
    COUNT,
    ROOT,
    SQUARES,
    TOTAL,
    WEIGHT,
    Contribute,
    Effect,
    EpochId,
    Estimate,
    Event,
    Extrema,
    Key,
    Mass,
    Packet,
    PacketKind,
    Peers,
    Send,
    series,
)
from .sketch import Summary

if TYPE_CHECKING:
    from random import Random


class Aggregation:
    """One node's side of the protocol.

    Args:
        name: the node's.
        life: grows with each start of it.
        config: the knobs.
        rng: chance.
        now: the time, seconds; all later calls give the same clock's.

    Attributes:
        epoch: the run of the protocol that it takes part in.
        rounds: rounds since it takes part in that one.
    """

    def __init__(self, name: str, life: int, config: AggregationConfig, rng: Random, now: float) -> None:
        self.name = name
        self.life = life
        self.config = config
        self._rng = rng
        self._ledger = Ledger()
        self._peers: dict[str, int] = {}
        self._order: list[str] = []
        self._parts: dict[str, tuple[str, Mass, tuple[float, float]]] = {}
        self._extrema: Extrema = {}
        self._asked: dict[str, int] = {}  # pushes without a reply, by whom they went to: their numbers
        self._struck: set[str] = set()
        self._number = 0
        self._limit = 0
        self._before: tuple[EpochId, int, Mass, Extrema] | None = None
        self._at = now + rng.random() * config.period_s
        self._ledger.contribute({WEIGHT: 1.0}, {})
        self.rounds = 0
        self.epoch = EpochId(0, "")
        self._enter(EpochId(1, name))

    # -- what the driver calls -------------------------------------------------------------------------------------

    @property
    def held(self) -> Mapping[Key, float]:
        """What this node holds. The fleet's, added up, are its `own`s."""
        return self._ledger.held

    @property
    def own(self) -> Mapping[Key, float]:
        """What this node contributes."""
        return self._ledger.own

    @property
    def waiting(self) -> int:
        """Pushes that had no reply yet."""
        return len(self._asked)

    def next_deadline(self) -> float:
        """When `tick` is to be called."""
        return self._at

    def tick(self, now: float) -> list[Effect]:
        """One round, if it is due. Rounds that were missed are not made up for."""
        if now < self._at:
            return []
        period_s = self.config.period_s
        self._at = max(self._at + period_s, now + 0.5 * period_s)
        return self.step()

    def handle(self, event: Event, now: float) -> list[Effect]:
        """One event.

        Raises:
            ConfigurationError: a contribution that would make more than `max_keys`.
        """
        del now  # nothing here depends on it
        if isinstance(event, Packet):
            return self._hear(event)
        if isinstance(event, Peers):
            self._meet(event.lives)
        elif isinstance(event, Contribute):
            self._contribute(event.name, event.summary)
        else:
            self._contribute(event.name, Summary())
            self._parts.pop(event.name, None)
        return []

    def step(self) -> list[Effect]:
        """One round, whatever the time: repeats pushes that had no reply, and pushes to a random other."""
        starter = self.epoch.starter
        rootless = self.settled and starter != self.name and starter not in self._peers
        if self.rounds >= self._limit or rootless:
            self._enter(EpochId(self.epoch.number + 1, self.name))
        self.rounds += 1
        waiting = list(self._asked)[: self.config.repeats]
        out: list[Effect] = []
        for other in waiting:
            self._asked[other] = self._asked.pop(other)  # the others are next in turn
            out.append(self._push(other, self._asked[other]))
        if self._order:
            other = self._order[int(self._rng.random() * len(self._order))]
            if other not in waiting:
                if self.config.mode == "push-sum":
                    gift = {key: value / 2.0 for key, value in self._ledger.held.items()}
                    self._ledger.give(self._ledger.link(other), gift)
                self._number += 1
                self._asked[other] = self._number
                out.append(self._push(other, self._number))
        return out

    # -- asked -----------------------------------------------------------------------------------------------------

    @property
    def settled(self) -> bool:
        """Whether the present epoch has had enough rounds to be believed."""
        return self.rounds >= self.config.settle_rounds(len(self._peers) + 1)

    def names(self) -> list[str]:
        """What something is known of."""
        _, _, mass, _ = self._believed()
        return sorted({key[0].rpartition("|")[0] for key in mass if key[0]})

    def estimate(self, name: str) -> Estimate | None:
        """What the fleet knows under a name: of the present epoch when it has settled, else of the one before. None
        while there is neither, or while a node that has left takes its mass with it."""
        epoch, rounds, mass, extrema = self._believed()
        found = [key[0] for key in mass if key[1] == COUNT and key[0].rpartition("|")[0] == name]
        weight, root = mass.get(WEIGHT, 0.0), mass.get(ROOT, 0.0)
        if not found or weight <= 0.0 or root <= 1e-9:
            return None
        best = max(found, key=lambda key: (mass[key, COUNT, 0], key))
        if mass[best, COUNT, 0] <= 1e-9 * weight:
            return None
        summary = _summary(best, mass, extrema, 1.0 / root)
        return Estimate(nodes=weight / root, summary=summary, epoch=epoch, rounds=rounds)

    def _believed(self) -> tuple[EpochId, int, Mass, Extrema]:
        if self.settled:
            return self.epoch, self.rounds, self._ledger.held, self._extrema
        return self._before or (self.epoch, self.rounds, {}, {})

    # -- epochs ----------------------------------------------------------------------------------------------------

    def _enter(self, epoch: EpochId) -> None:
        if self.settled and self.epoch.number:
            self._before = (self.epoch, self.rounds, dict(self._ledger.held), dict(self._extrema))
        was, begins = self.epoch.starter == self.name, epoch.starter == self.name
        self._ledger.contribute({ROOT: 1.0} if begins else {}, {ROOT: 1.0} if was else {})
        self._ledger.restart()
        self._extrema = {key: bounds for key, part, bounds in self._parts.values() if part}
        self._asked.clear()
        self._struck.clear()
        self.epoch = epoch
        self.rounds = 0
        spread = int(self._rng.random() * (self.config.spread_rounds + 1))
        self._limit = self.config.epoch_rounds(len(self._peers) + 1) + spread

    # -- the others ------------------------------------------------------------------------------------------------

    def _meet(self, lives: Mapping[str, int]) -> None:
        lives = {name: lives[name] for name in sorted(lives) if name != self.name}
        starter = self.epoch.starter
        if starter in self._peers and starter not in lives:  # and with it the root
            self._enter(EpochId(self.epoch.number + 1, self.name))
        for name in self._peers.keys() - lives.keys():
            self._asked.pop(name, None)
            if self._ledger.strike(name):
                self._struck.add(name)
        for name, life in lives.items():
            link = self._ledger.links.get(name)
            if link is not None:
                self._ledger.reborn(link, life)
            if name in self._struck or (link is not None and link.given and self._peers.get(name) != life):
                self._struck.discard(name)
                self._number += 1
                self._asked[name] = self._number  # it may hold what we have struck out, or have lost what we gave
        self._peers = lives
        self._order = list(lives)

    def _hear(self, packet: Packet) -> list[Effect]:
        life = self._peers.get(packet.source)
        if life is None or packet.life < life:
            return []
        if packet.epoch != self.epoch:
            if packet.epoch < self.epoch:
                return [self._reply(packet.source, 0)] if packet.kind is PacketKind.PUSH else []
            self._enter(packet.epoch)
        link = self._ledger.link(packet.source)
        self._ledger.take(link, packet.given, packet.life, packet.sequence)
        for key, (low, high) in packet.extrema.items():
            least, greatest = self._extrema.get(key, (inf, -inf))
            self._extrema[key] = (min(low, least), max(high, greatest))
        if packet.kind is PacketKind.REPLY:
            if self._asked.get(packet.source) == packet.ask:
                del self._asked[packet.source]
            return []
        if (packet.life, packet.ask) > link.asked:
            link.asked = (packet.life, packet.ask)
            if self.config.mode == "push-pull":
                self._even_out(link, packet.held)
        return [self._reply(packet.source, packet.ask)]

    def _even_out(self, link: Link, other: Mapping[Key, float]) -> None:
        """Gives half of what this node holds more than the other."""
        held = self._ledger.held
        keys = list(held)
        keys.extend(key for key in other if key not in held)
        self._ledger.give(link, {key: (held.get(key, 0.0) - other.get(key, 0.0)) / 2.0 for key in keys})

    def _push(self, to: str, ask: int) -> Send:
        held = dict(self._ledger.held) if self.config.mode == "push-pull" else {}
        return self._send(PacketKind.PUSH, to, ask, held)

    def _reply(self, to: str, ask: int) -> Send:
        return self._send(PacketKind.REPLY, to, ask, {})

    def _send(self, kind: PacketKind, to: str, ask: int, held: Mass) -> Send:
        self._number += 1
        link = self._ledger.links.get(to)
        packet = Packet(
            kind=kind,
            source=self.name,
            life=self.life,
            epoch=self.epoch,
            sequence=self._number,
            ask=ask,
            given={} if link is None else dict(link.given),
            held=held,
            extrema=dict(self._extrema),
        )
        return Send(to, packet)

    # -- what this node contributes --------------------------------------------------------------------------------

    def _contribute(self, name: str, summary: Summary) -> None:
        key = series(name, summary.bins.tag if summary.bins is not None else "")
        part: Mass = {}
        if summary.count:
            part = {(key, COUNT, 0): summary.count, (key, TOTAL, 0): summary.total, (key, SQUARES, 0): summary.squares}
            part.update({(key, BIN, index): mass for index, mass in summary.masses.items()})
        _, before, _ = self._parts.get(name, ("", {}, (inf, -inf)))
        size = len(self._ledger.own) - len(before) + len(part)
        if size > self.config.max_keys:
            raise ConfigurationError(
                f"aggregation: {name!r} makes {size} numbers of this node, {self.config.max_keys} are allowed: use "
                "wider bins or fewer series, or raise max_keys"
            )
        self._ledger.contribute(part, before)
        bounds = (summary.minimum, summary.maximum)
        self._parts[name] = (key, part, bounds)
        if summary.count:
            least, greatest = self._extrema.get(key, (inf, -inf))
            self._extrema[key] = (min(bounds[0], least), max(bounds[1], greatest))


def _summary(key: str, mass: Mass, extrema: Extrema, factor: float) -> Summary:
    summary = Summary(bins=bins_of(key.rpartition("|")[2]))
    summary.count = factor * mass[key, COUNT, 0]
    summary.total = factor * mass.get((key, TOTAL, 0), 0.0)
    summary.squares = factor * mass.get((key, SQUARES, 0), 0.0)
    summary.minimum, summary.maximum = extrema.get(key, (inf, -inf))
    for (of, what, index), value in mass.items():
        if of == key and what == BIN and value > 0.0:
            summary.masses[index] = factor * value
    return summary
