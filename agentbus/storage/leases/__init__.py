"""Leases with fencing tokens: one holder at a time, and a number by which whoever it was before is refused.

* `Leases`, `Lease`: wants, holds and gives back, on any store with compare-and-set
* `LeaseMachine`: decides, pure
* `Holder`, `LeaseRecord`, `LeaseConfig`
"""

from __future__ import annotations

from .config import LeaseConfig
from .machine import LeaseMachine
from .model import Holder, LeaseRecord
from .service import Judge, Lease, Leases, LeaseStore

__all__ = ["Holder", "Judge", "Lease", "LeaseConfig", "LeaseMachine", "LeaseRecord", "LeaseStore", "Leases"]
