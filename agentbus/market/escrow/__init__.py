"""An escrow ledger: accounts, holds and settlements in double entry, in a stream, written by one at a time.

* `EscrowLedger`: the agent that keeps accounts, on any number of nodes; `EscrowConfig`
* `EscrowClient`: what an agent opens accounts, pays and settles with
* `Account`, `Held`, `HoldState`, `Receipt`, `Entry`: what it is told
* `audit`, `Auditor`, `Audit`: whether the books are right, from the stream alone
* `LedgerMachine`: decides, pure
"""

from __future__ import annotations

from .audit import Audit, Auditor, audit
from .client import EscrowClient
from .config import EscrowConfig
from .machine import LedgerMachine
from .model import (
    Account,
    Command,
    Dispute,
    Entry,
    Held,
    Hold,
    HoldState,
    Open,
    Receipt,
    Refund,
    Resolve,
    Settle,
    Transfer,
)
from .service import EscrowLedger

__all__ = [
    "Account",
    "Audit",
    "Auditor",
    "Command",
    "Dispute",
    "Entry",
    "EscrowClient",
    "EscrowConfig",
    "EscrowLedger",
    "Held",
    "Hold",
    "HoldState",
    "LedgerMachine",
    "Open",
    "Receipt",
    "Refund",
    "Resolve",
    "Settle",
    "Transfer",
    "audit",
]
