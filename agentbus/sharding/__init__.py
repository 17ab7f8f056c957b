"""Work that survives: shards with one holder each, committed segment by segment, checked by others.

* `ShardWorker`: subclass it and say what the work is; docs/guides/sharding.md
* `ShardJob`, `ShardConfig`: what is done, and how
* `Journal`: a job's streams; `Journal.put` gives it work
* `collect`, `Outcome`: what has come out
* `fold`, `ShardLog`: a shard's result log, read; pure
* `Finding`: what doing it again shows
"""

from __future__ import annotations

from .collecting import Outcome, ShardOutcome, collect
from .config import ShardConfig, local
from .journal import Journal
from .log import ShardLog, fold
from .model import Attest, Claim, Finding, Progress, Segment, ShardJob
from .service import Accuse, ShardWorker

__all__ = [
    "Accuse",
    "Attest",
    "Claim",
    "Finding",
    "Journal",
    "Outcome",
    "Progress",
    "Segment",
    "ShardConfig",
    "ShardJob",
    "ShardLog",
    "ShardOutcome",
    "ShardWorker",
    "collect",
    "fold",
    "local",
]
