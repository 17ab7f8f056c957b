"""How steps are worded for the log. Pure."""

from __future__ import annotations

from ..peers import Standing
from .model import Action, Belief, Record, Trouble


def outcome_of(belief: Belief, now: float) -> str:
    """What has come of an action that each node takes for itself."""
    if belief.standing is Standing.QUARANTINED:
        return "refused from now on"
    left = f" for {belief.until_s - now:.3g} s" if belief.until_s is not None else ""
    spared = f", spared {belief.shed:.0%}" if belief.shed else ""
    return f"{belief.standing.value}{spared}{left}"


def why(trouble: Trouble, action: Action) -> str:
    """What the fault says, and what the rule adds."""
    return "; ".join(part for part in (trouble.reason, action.reason) if part)


def record_of(
    trouble: Trouble, action: Action, rule: str, outcome: str, *, target: str = "", latency_s: float = 0.0
) -> Record:
    """A step about that fault."""
    return Record(
        trouble=trouble,
        action=action.name,
        reason=why(trouble, action),
        rule=rule,
        outcome=outcome,
        target=target,
        latency_s=latency_s,
    )


def nothing(trouble: Trouble, outcome: str) -> Record:
    """A fault that nothing is done about."""
    return Record(trouble=trouble, action="none", reason=trouble.reason, rule="", outcome=outcome)
