"""An append-only log that nobody can rewrite unnoticed: Merkle tree, signed checkpoints, witnesses, offline audits.

* keep one: `Ledger`, `LedgerConfig`, on a `Folder` or `InBucket`; `Record`, `Kind`
* say what goes in: `Rules`, `Rule`, `Keep`
* stand witness: `Witness`, `Evidence`
* keys: `Signer`, `Ed25519`, `Signing`, `Key`, `COSIGNATURE`
* audit: `download`, `verify`, `Report`, `Finding`, `Reader`, `read_record`; `is_fork`, `open_checkpoint`
"""

from __future__ import annotations

from .audit import Report, verify
from .codec import read_record
from .config import LedgerConfig
from .copying import download
from .folder import Folder
from .log import Log
from .machine import Evidence, Outcome
from .model import Keep, Kind, Record
from .notes import Checkpoint, Note, is_fork, open_checkpoint
from .reading import Finding, Reader
from .rules import Rule, Rules
from .service import Ledger
from .signing import COSIGNATURE, NOTE, Ed25519, Key, Signer, Signing
from .store import InBucket
from .witness import Witness

__all__ = [
    "COSIGNATURE",
    "Checkpoint",
    "Ed25519",
    "Evidence",
    "Finding",
    "Folder",
    "InBucket",
    "Keep",
    "Key",
    "Kind",
    "Ledger",
    "LedgerConfig",
    "Log",
    "NOTE",
    "Note",
    "Outcome",
    "Reader",
    "Record",
    "Report",
    "Rule",
    "Rules",
    "Signer",
    "Signing",
    "Witness",
    "download",
    "is_fork",
    "open_checkpoint",
    "read_record",
    "verify",
]
