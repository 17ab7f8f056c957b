"""All knobs of detection in one place."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import ConfigurationError
from .verdicts.config import VerdictConfig
from .watch.config import WatchConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionConfig:
    """How a node accuses, looks again and watches.

    Attributes:
        verdicts: the quorum's knobs.
        watch: the watcher's knobs; None: agents are not watched, only accused by whoever calls `Detection.accuse`.
        reproductions: that run at once.
        reproduce_s: seconds that one may take; then it has found out nothing.
        max_waiting: reproductions that wait, of one author; more find out nothing.
        evidence_bytes: of an accusation; those with more are neither made nor heard.
        scores: of one stream that wait to be told, and that are remembered of all nodes; the oldest are dropped.
        score_names: streams of which scores are remembered.
    """

    verdicts: VerdictConfig = field(default_factory=VerdictConfig)
    watch: WatchConfig | None = field(default_factory=WatchConfig)
    reproductions: int = 4
    reproduce_s: float = 2.0
    max_waiting: int = 64
    evidence_bytes: int = 1024
    scores: int = 4096
    score_names: int = 64

    def __post_init__(self) -> None:
        if min(self.reproductions, self.max_waiting, self.evidence_bytes, self.scores, self.score_names) < 1:
            raise ConfigurationError(f"{self}: every limit is at least 1")
        if self.reproduce_s <= 0:
            raise ConfigurationError(f"reproduce_s={self.reproduce_s}: a number of seconds above 0")


def quorum_of(faulty: int, *, watch: WatchConfig | None = None) -> DetectionConfig:
    """The defaults for a fleet in which `faulty` nodes may lie at once; `quorum_of(3)` takes four witnesses."""
    return DetectionConfig(verdicts=VerdictConfig(faulty=faulty), watch=watch or WatchConfig())
