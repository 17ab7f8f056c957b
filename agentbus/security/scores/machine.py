"""Peer scores: how far each key is heard, by what it has done. Pure.

Reference: D. Vyzovitis et al., GossipSub: attack-resilient message propagation in the Filecoin and ETH2.0 networks
(arXiv:2007.02754, 2020), and the libp2p specification gossipsub v1.1, "Peer Scoring". What is other here: there is no
mesh, so P1 and P3 have nothing to count; behind a broker nobody has an address, so P6 counts the identities of one
sponsor; and who has sent a frame is not known by the link that it came on, so a bad signature is held against the key
it names only as far as others' forgeries may harm (`ScoreConfig.forged`).

Invariants: a score is at most `kept_cap`, and 0 at most for who has done no good; what is forged in its name moves
nobody below a threshold; who does nothing more is back at its siblings' score within `recovery_s`; `max_keys` are
remembered.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import floor

from .config import Parameter, ScoreConfig
from .model import BROKEN, FLOOD, FORGED, INVALID, KEPT, KINDS, Departed, Did, Event, Introduced, Level, Moved


class _Record:
    """What is known of one key.

    Attributes:
        counts: by kind and topic.
        interval: the number of the interval to which they have decayed.
    """

    __slots__ = ("counts", "interval", "level", "sponsor")

    def __init__(self, interval: int) -> None:
        self.counts: dict[tuple[str, str], float] = {}
        self.interval = interval
        self.level = Level.FULL
        self.sponsor = b""


class Scores:
    """The scores of all keys, as one node sees them.

    Args:
        config: the knobs.

    Attributes:
        graylisted: the keys of which nothing is to be read.
    """

    def __init__(self, config: ScoreConfig | None = None) -> None:
        self.config = config = config or ScoreConfig()
        self.graylisted: set[bytes] = set()
        self._records: dict[bytes, _Record] = {}
        self._families: dict[bytes, set[bytes]] = {}
        self._low: set[bytes] = set()  # below FULL
        self._parameters: dict[str, Parameter] = {
            KEPT: config.kept,
            BROKEN: config.broken,
            INVALID: config.invalid,
            FLOOD: config.flood,
            FORGED: config.forged,
        }
        self._decays = {kind: config.decay(parameter) for kind, parameter in self._parameters.items()}

    def __len__(self) -> int:
        return len(self._records)

    # -- what the driver calls -------------------------------------------------------------------------------------

    def handle(self, event: Event, now: float) -> list[Moved]:
        """One event. An unknown kind counts as `BROKEN`."""
        match event:
            case Did():
                return self._did(event, now)
            case Introduced():
                return self._introduced(event, now)
            case Departed():
                return self._departed(event.key, now)

    def tick(self, now: float) -> list[Moved]:
        """Lets decay do its work; forgets who has nothing to be remembered for."""
        moved = self._judge(tuple(self._low), now)
        for key, record in list(self._records.items()):
            self._decay(record, now)
            if not record.counts and not record.sponsor and record.level is Level.FULL:
                del self._records[key]
        return moved

    def next_deadline(self) -> float | None:
        """When `tick` may change something; None: not before the next event."""
        if not self._low:
            return None
        interval = min(self._records[key].interval for key in self._low)
        return (interval + 1) * self.config.decay_interval_s

    # -- what others ask -------------------------------------------------------------------------------------------

    def score(self, key: bytes, now: float) -> float:
        """The key's score now."""
        record = self._records.get(key)
        if record is None:
            return 0.0
        self._decay(record, now)
        return sum(self._parts(record).values())

    def level(self, key: bytes) -> Level:
        """How far the key is heard, as of the last event or tick."""
        record = self._records.get(key)
        return record.level if record else Level.FULL

    # -- inside ----------------------------------------------------------------------------------------------------

    def _did(self, did: Did, now: float) -> list[Moved]:
        kind = did.kind if did.kind in KINDS else BROKEN
        topic = did.topic if did.topic in self.config.topics and kind != FORGED else ""
        record = self._record(did.key, now)
        self._decay(record, now)
        cap = self._parameters[kind].cap
        record.counts[kind, topic] = min(cap, record.counts.get((kind, topic), 0.0) + max(0, did.count))
        return self._judge((did.key,), now)

    def _introduced(self, event: Introduced, now: float) -> list[Moved]:
        record = self._record(event.key, now)
        if record.sponsor == event.sponsor:
            return []
        moved = self._departed(event.key, now)
        record.sponsor = event.sponsor
        if event.sponsor:
            family = self._families.setdefault(event.sponsor, set())
            family.add(event.key)
            moved += self._judge(tuple(sorted(family)), now)
        return moved

    def _departed(self, key: bytes, now: float) -> list[Moved]:
        record = self._records.get(key)
        if record is None or not record.sponsor:
            return []
        family = self._families[record.sponsor]
        family.discard(key)
        if not family:
            del self._families[record.sponsor]
        record.sponsor = b""
        return self._judge((key, *sorted(family)), now)

    def _record(self, key: bytes, now: float) -> _Record:
        record = self._records.get(key)
        if record is None:
            if len(self._records) >= self.config.max_keys:
                self._forget(now)
            record = self._records[key] = _Record(self._interval(now))
        return record

    def _forget(self, now: float) -> None:
        """Forgets a quarter of the keys, those with the best scores."""
        best = sorted(self._records, key=lambda key: self.score(key, now), reverse=True)
        for key in best[: max(1, len(best) // 4)]:
            sponsor = self._records.pop(key).sponsor
            if sponsor:
                self._families[sponsor].discard(key)
                if not self._families[sponsor]:
                    del self._families[sponsor]
            self._low.discard(key)
            self.graylisted.discard(key)

    def _interval(self, now: float) -> int:
        return floor(now / self.config.decay_interval_s)

    def _decay(self, record: _Record, now: float) -> None:
        passed = self._interval(now) - record.interval
        if passed <= 0:
            return
        record.interval += passed
        left: dict[tuple[str, str], float] = {}
        for (kind, topic), count in record.counts.items():
            decayed = count * self._decays[kind] ** passed
            if decayed >= self.config.decay_to_zero:
                left[kind, topic] = decayed
        record.counts = left

    def _parts(self, record: _Record) -> dict[str, float]:
        """What adds up to the score, by kind."""
        config = self.config
        parts = dict.fromkeys(KINDS, 0.0)
        for (kind, topic), count in record.counts.items():
            parts[kind] += config.topics.get(topic, 1.0) * self._parameters[kind].adds(count)
        parts[KEPT] = min(config.kept_cap, parts[KEPT])
        if record.sponsor:
            parts["siblings"] = config.siblings.adds(len(self._families[record.sponsor]))
        return parts

    def _judge(self, keys: Iterable[bytes], now: float) -> list[Moved]:
        """Where those keys stand now; tells of those that have moved."""
        moved: list[Moved] = []
        for key in keys:
            record = self._records.get(key)
            if record is None:
                continue
            self._decay(record, now)
            parts = self._parts(record)
            score = sum(parts.values())
            level = self._level_of(score)
            if level is record.level:
                continue
            worst = min(parts, key=lambda kind: parts[kind])
            moved.append(Moved(key=key, level=level, before=record.level, score=score, why=worst))
            record.level = level
            (self._low.discard if level is Level.FULL else self._low.add)(key)
            (self.graylisted.add if level is Level.GRAYLISTED else self.graylisted.discard)(key)
        return moved

    def _level_of(self, score: float) -> Level:
        config = self.config
        for level, threshold in (
            (Level.GRAYLISTED, config.graylist),
            (Level.IDLE, config.publish),
            (Level.UNBELIEVED, config.gossip),
        ):
            if score < threshold:
                return level
        return Level.FULL
