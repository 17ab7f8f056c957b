"""What to do about faults: quarantine, restart, re-host, probation, rejoin.

* host it: `Healer`, `HealingConfig`; it is a `StandingView`
* write rules: `Policy`, `on_fault`, `Known`, and the actions `Quarantine`, `Restart`, `Rehost`, `Shed`, `Probation`,
  `Rejoin`
* reach out in your own way: `Effector`
"""

from __future__ import annotations

from .config import HealingConfig
from .effector import Effector
from .knowledge import Known
from .model import Action, Probation, Quarantine, Rehost, Rejoin, Restart, Shed, Trouble
from .policy import Policy, on_fault
from .service import Healer

__all__ = [
    "Action",
    "Effector",
    "Healer",
    "HealingConfig",
    "Known",
    "Policy",
    "Probation",
    "Quarantine",
    "Rehost",
    "Rejoin",
    "Restart",
    "Shed",
    "Trouble",
    "on_fault",
]
