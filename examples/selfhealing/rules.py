"""What the demo's agents do about faults: the default rules, and two of their own."""

from __future__ import annotations

from collections.abc import Iterable

from agentbus.faults import FAILED, OVERLOADED, SLOW
from agentbus.healing import Action, Known, Policy, Probation, Rehost, Restart, Trouble, on_fault


class Rules(Policy):
    """By default one that is slow is given less to do. Here it begins a new life at once."""

    @on_fault(SLOW, OVERLOADED)
    def slow(self, fault: Trouble, known: Known) -> Iterable[Action]:
        """What it has done is right: no quarantine, which would make it void."""
        return [Probation(), Restart()]

    @on_fault(FAILED)
    def failed(self, fault: Trouble, known: Known) -> Iterable[Action]:
        """One that is taken for dead again and again is there, and too slow to answer in time: on a machine that has
        much else to do, slowness may be seen so before anybody has measured it."""
        again = known.count(FAILED)
        if again < known.config.escalate_after:
            return [Rehost()]
        return [Rehost(), Restart(reason=f"{again} times within {known.config.window_s:g} s")]
