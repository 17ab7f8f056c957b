"""What the demo's agents do about faults: the default rules, and one of their own."""

from __future__ import annotations

from collections.abc import Iterable

from agentbus.faults import OVERLOADED, SLOW
from agentbus.healing import Action, Known, Policy, Probation, Restart, Trouble, on_fault


class Rules(Policy):
    """By default one that is slow is given less to do. Here it begins a new life at once."""

    @on_fault(SLOW, OVERLOADED)
    def slow(self, fault: Trouble, known: Known) -> Iterable[Action]:
        """What it has done is right: no quarantine, which would make it void."""
        return [Probation(), Restart()]
