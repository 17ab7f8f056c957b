"""What the demo's agents do about faults: the default rules, and one of their own."""

from __future__ import annotations

from collections.abc import Iterable

from agentbus.faults import OVERLOADED, SLOW
from agentbus.healing import Action, Known, Policy, Quarantine, Rehost, Restart, Trouble, on_fault


class Rules(Policy):
    """By default one that is slow is given less to do. Here it is ended at once: somebody else has its work then."""

    @on_fault(SLOW, OVERLOADED)
    def slow(self, fault: Trouble, known: Known) -> Iterable[Action]:
        """A new life is worth more than a slow one."""
        return [Quarantine(), Rehost(), Restart()]
