"""The loop of one node: monitor, analyse, plan, execute, over what it knows. Pure.

Every node runs it for itself, over equal knowledge; nobody is in the middle. What everyone does (quarantine,
probation, shed) is done here; what must be done once (restart, re-host) is done by one (`turns`).

Invariants: a quarantined life stays so; at most ``may_be_out(n)`` of n nodes are taken out at the time when one more
is; in dry-run nothing but the log changes.

Source: Kephart and Chess, The vision of autonomic computing, IEEE Computer 2003 (MAPE-K).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ..faults import FAILED
from ..peers import Standing
from .config import HealingConfig
from .knowledge import Knowledge, Known
from .limits import Limits
from .model import (
    Action,
    Announced,
    Arrived,
    Belief,
    Effect,
    Event,
    Gone,
    Life,
    Log,
    Perform,
    Performed,
    Probation,
    Quarantine,
    Record,
    Rehost,
    Rejoin,
    Restart,
    Shed,
    Tell,
    Tick,
    Told,
    Trouble,
)
from .placement import least_loaded, rendezvous
from .policy import Policy
from .records import nothing, outcome_of, record_of, why
from .turns import Turns
from .voices import Voices

REQUESTED = "requested"
"""The outcome of a restart or a re-hosting that the effector has asked for."""
MAX_REMEMBERED = 4096
RETRY_S = 1.0
"""Seconds after which a plan that a limit stopped is tried again."""

Step = tuple[str, Action]


@dataclass(slots=True)
class _Deferred:
    trouble: Trouble
    steps: list[Step]
    heard_s: float
    next_s: float


class HealingMachine:
    """What one node does about faults.

    Args:
        me: this node's name.
        policy: the rules.
        knowledge: what is known, shared with whoever asks for standings.
        load: how much a node has to do; None: not known.
    """

    def __init__(
        self,
        me: str,
        policy: Policy,
        knowledge: Knowledge,
        load: Callable[[str], float | None] = lambda node: None,
    ) -> None:
        self.me = me
        self.policy = policy
        self.knowledge = knowledge
        self.config: HealingConfig = knowledge.config
        self._load = load
        self._limits = Limits(self.config)
        self._turns = Turns(me, self.config)
        self._voices = Voices(self.config)
        self._heard: dict[str, float] = {}
        self._deferred: dict[str, _Deferred] = {}
        self._restarting: dict[str, tuple[int, float]] = {}

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Takes in what has happened; returns what to do."""
        match event:
            case Trouble():
                effects = self._over(event) if event.recovered else self._trouble(event, now)
            case Arrived():
                effects = self._arrived(event, now)
            case Gone():
                effects = self._gone(event, now)
            case Told():
                effects = self._told(event, now)
            case Announced():
                self._turns.announced(event.fault, event.action, event.by, now)
                effects = []
            case Performed():
                effects = self._performed(event, now)
            case Tick():
                effects = self._elapsed(now)
        effects.extend(self._turns.due(now))
        return effects

    def next_deadline(self) -> float | None:
        """When a `Tick` has something to do, or None."""
        times = [one.next_s for one in self._deferred.values()]
        times.extend(belief.until_s for belief in self.knowledge.beliefs() if belief.until_s is not None)
        times.extend(until for _, until in self._restarting.values())
        due = self._turns.next_deadline()
        return min([*times, due] if due is not None else times, default=None)

    def preview(self, trouble: Trouble, now: float) -> list[Record]:
        """What would be done about a fault, and by whom. Changes nothing."""
        records: list[Record] = []
        out = self._out()
        for rule, action in self._plan(trouble, now):
            refusal = self._refusal(trouble, action, out, now)
            if refusal:
                records.append(record_of(trouble, action, rule, f"would wait: {refusal}"))
                break
            if action.takes_out:
                out |= {trouble.life.node}
            target = self._target(trouble, action)
            order = self._order(trouble, action)
            who = (order[0] if order else "nobody") if action.once else "every node"
            records.append(record_of(trouble, action, rule, f"would be done by {who}", target=target))
        return records or [nothing(trouble, "no rule asks for anything")]

    def agrees(self, life: Life, now: float) -> bool:
        """Whether this node itself knows of a fault of that life's agent, or of its node."""
        lives = (life, replace(life, agent=""))
        return any(self.knowledge.belief(one) or self.knowledge.count(one, now) for one in lives)

    # -- monitor and analyse ---------------------------------------------------------------------------------------

    def _trouble(self, trouble: Trouble, now: float) -> list[Effect]:
        life = trouble.life
        requested = trouble.kind == FAILED and self._restarting.get(life.node, (0, 0.0))[0] == life.epoch
        if self.knowledge.is_over(life):
            return self._condemn(trouble, now)
        if self._is_known(trouble, now):
            return []
        self._heard.pop(trouble.id, None)
        self._heard[trouble.id] = now
        if len(self._heard) > MAX_REMEMBERED:
            del self._heard[next(iter(self._heard))]
        try:
            steps = self._plan(trouble, now)
        except Exception as error:  # a rule of the user's: what it raises must not stop healing
            steps = None
            broken = f"rule failed: {type(error).__name__}: {error}"
        else:
            broken = "no rule asks for anything"
        if not requested:  # a death that was asked for is not held against anybody
            self.knowledge.remember(trouble.kind, life, now)
        if not steps:
            return [Log(record=nothing(trouble, broken))]
        return self._execute(trouble, steps, now, now)

    def _is_known(self, trouble: Trouble, now: float) -> bool:
        """It is heard again, or it is about a life that this node has refused already for a fault that it heard of
        itself. Who was only told to refuse it has not planned what else is to be done."""
        life = trouble.life
        if now - self._heard.get(trouble.id, -1e18) < self.config.repeat_s:
            return True
        belief = self.knowledge.belief(life)
        if trouble.kind == FAILED or belief is None or belief.standing is not Standing.QUARANTINED:
            return False
        return any(heard.endswith(f"/{life}") for heard in self._heard)

    def _condemn(self, trouble: Trouble, now: float) -> list[Effect]:
        """The life is over, but not what it has done: if it is to be quarantined, its work is refused from now on."""
        try:
            refused = any(isinstance(action, Quarantine) for _, action in self._plan(trouble, now))
        except Exception:  # a rule of the user's
            refused = False
        if trouble.kind == FAILED or not refused or self.config.dry_run:
            return []
        return self._act(trouble, "over", Quarantine(), now, now)

    def _over(self, trouble: Trouble) -> list[Effect]:
        """The fault is over: what is spared because of it is spared no longer. Probation goes on, quarantine too."""
        belief = self.knowledge.belief(trouble.life)
        if belief is None or not belief.shed or belief.kind != trouble.kind or self.config.dry_run:
            return []
        if not self.knowledge.believe(replace(belief, shed=0.0)):
            return []
        return [Log(record=record_of(trouble, Shed(), "recovered", "ended"))]

    # -- plan and execute ------------------------------------------------------------------------------------------

    def _plan(self, trouble: Trouble, now: float) -> list[Step]:
        return self.policy.plan(trouble, Known(self.knowledge, trouble, now, self.me))

    def _execute(self, trouble: Trouble, steps: list[Step], heard_s: float, now: float) -> list[Effect]:
        effects: list[Effect] = []
        for at, (rule, action) in enumerate(steps):
            refusal = self._refusal(trouble, action, self._out(), now)
            if refusal:
                news = trouble.id not in self._deferred
                self._deferred[trouble.id] = _Deferred(trouble, steps[at:], heard_s, now + RETRY_S)
                if len(self._deferred) > MAX_REMEMBERED:
                    del self._deferred[next(iter(self._deferred))]
                return (
                    [*effects, Log(record=record_of(trouble, action, rule, f"waits: {refusal}"))] if news else effects
                )
            effects.extend(self._act(trouble, rule, action, heard_s, now))
        self._deferred.pop(trouble.id, None)
        return effects

    def _refusal(self, trouble: Trouble, action: Action, out: set[str], now: float) -> str:
        """Why the action may not be taken now; empty when it may."""
        if action.takes_out and trouble.life.node not in out:
            fleet = len(self.knowledge.alive.keys() | out)
            may = self.config.may_be_out(fleet)
            if len(out) >= may:
                return f"{len(out)} of {fleet} nodes are out, and {may} may be"
        return self._limits.refusal(trouble, now) if action.takes_out or action.once else ""

    def _act(self, trouble: Trouble, rule: str, action: Action, heard_s: float, now: float) -> list[Effect]:
        if self.config.dry_run:
            return [Log(record=record_of(trouble, action, rule, "dry run: nothing was changed"))]
        if action.takes_out or action.once:
            self._limits.take(trouble, now)
        if isinstance(action, Restart | Rehost):
            perform = Perform(
                trouble=trouble, action=action, rule=rule, heard_s=heard_s, target=self._target(trouble, action)
            )
            if isinstance(action, Restart):
                until = now + self.config.restart_s * self.config.attempts
                self._restarting[trouble.life.node] = trouble.life.epoch, until
            self._turns.open(perform, self._order(trouble, action), now)
            return []
        belief = self._after(trouble, action, now)
        if not self.knowledge.believe(belief):
            return []
        record = record_of(trouble, action, rule, outcome_of(belief, now), latency_s=now - heard_s)
        return [Log(record=record), Tell(belief=belief)]

    def _after(self, trouble: Trouble, action: Action, now: float) -> Belief:
        """What is believed of the accused after an action that each node takes for itself."""
        old = self.knowledge.belief(trouble.life) or Belief(
            life=trouble.life, standing=Standing.TRUSTED, kind=trouble.kind
        )
        count = self.knowledge.count(trouble.life, now)
        until = now + self.config.probation_for(count)
        new = replace(old, kind=trouble.kind, reason=why(trouble, action), since_s=now)
        match action:
            case Quarantine():
                return replace(new, standing=Standing.QUARANTINED, until_s=None, shed=0.0)
            case Probation():
                ends = until if action.for_s is None else now + action.for_s
                return replace(new, standing=Standing.PROBATION, until_s=max(ends, old.until_s or ends))
            case Shed():
                share = min(1.0, max(0.0, action.share))
                return replace(new, shed=share, until_s=max(until, old.until_s or until))
            case Rejoin():
                return replace(new, standing=Standing.TRUSTED, until_s=None, shed=0.0)
            case _:
                return old

    def _out(self) -> set[str]:
        """The nodes that are taken out now: live ones in quarantine, and those that are to begin a new life."""
        return self.knowledge.quarantined_nodes() | set(self._restarting)

    def _order(self, trouble: Trouble, action: Action) -> list[str]:
        able = set(self.knowledge.alive) - self.knowledge.quarantined_nodes() - {trouble.life.node}
        return rendezvous(f"{trouble.id}/{action.name}", able)

    def _target(self, trouble: Trouble, action: Action) -> str:
        if not isinstance(action, Rehost):
            return ""
        able = set(self.knowledge.alive) - self._out() - {trouble.life.node}
        key = f"{trouble.life.agent}@{trouble.life.node}"
        order = least_loaded(key, able, self._load) if action.by == "load" else rendezvous(key, able)
        return order[0] if order else ""

    # -- what follows ----------------------------------------------------------------------------------------------

    def _performed(self, event: Performed, now: float) -> list[Effect]:
        perform = event.perform
        self._turns.performed(perform, event.outcome == REQUESTED, now)
        record = record_of(
            perform.trouble,
            perform.action,
            perform.rule,
            event.outcome,
            target=perform.target,
            latency_s=now - perform.heard_s,
        )
        return [Log(record=record)]

    def _gone(self, event: Gone, now: float) -> list[Effect]:
        if not self.knowledge.gone(event.node, event.epoch, now):
            return []
        return self._ended(event.node, event.epoch, "its life is over", now)

    def _ended(self, node: str, epoch: int, outcome: str, now: float) -> list[Effect]:
        """That life no longer acts: what this node had asked for has come true."""
        return [
            Log(record=record_of(one.trouble, one.action, one.rule, outcome, latency_s=now - one.heard_s))
            for one in self._turns.over(node, epoch)
        ]

    def _arrived(self, event: Arrived, now: float) -> list[Effect]:
        """A node is there, perhaps in a new life: whoever had faults is on probation first."""
        before = self.knowledge.epochs.get(event.node)
        if not self.knowledge.arrived(event.node, event.epoch):
            return []
        gone = self.knowledge.back(event.node)
        if before == event.epoch and gone > self.config.may_be_out(len(self.knowledge.epochs)):
            # More than may be at fault were gone at once, and it is the same life: this node was cut off, or they were.
            self.knowledge.forget(FAILED, Life("", event.node, event.epoch))
        effects = self._ended(event.node, event.epoch - 1, "it lives anew", now)
        if self._restarting.get(event.node, (event.epoch, 0.0))[0] < event.epoch:
            del self._restarting[event.node]
        elif before == event.epoch:
            effects.extend(self._still_refused(event, now))
        if self.config.dry_run:
            return effects
        for agent, kind, count in self.knowledge.suspects_of(event.node, now):
            life = Life(agent, event.node, event.epoch)
            trouble = Trouble(kind=kind, life=life, reason=f"it is back after {count} of its faults")
            effects.extend(self._act(trouble, "back", Probation(), now, now))
        return effects

    def _still_refused(self, event: Arrived, now: float) -> list[Effect]:
        """It had seemed to be gone, and is back in a life that is refused: it has to begin a new one after all."""
        effects: list[Effect] = []
        for belief in self.knowledge.beliefs():
            refused = belief.standing is Standing.QUARANTINED and belief.life.epoch == event.epoch
            if refused and belief.life.node == event.node:
                trouble = Trouble(kind=belief.kind, life=belief.life, reason=belief.reason)
                effects.extend(self._execute(trouble, self._plan(trouble, now), now, now))
        return effects

    def _told(self, event: Told, now: float) -> list[Effect]:
        belief, life = event.belief, event.belief.life
        over, refused = self.knowledge.is_over(life), belief.standing is Standing.QUARANTINED
        if self.config.dry_run or event.by in {life.node, self.me} or (over and not refused):
            return []
        if event.by not in self.knowledge.alive or event.by in self.knowledge.quarantined_nodes():
            return []
        witnesses = self._voices.hear(belief, event.by, now)
        known = self.knowledge.belief(life)
        if len(witnesses) < self.config.voices() or not self._voices.adds(belief, known):
            return []
        trouble = Trouble(kind=belief.kind, life=life, reason=belief.reason, witnesses=witnesses)
        action: Action = Quarantine() if refused else Probation()
        refusal = "" if over else self._refusal(trouble, action, self._out(), now)  # the dead harm nobody's quorum
        if refusal or not self.knowledge.believe(belief):
            return []
        if action.takes_out and not over:
            self._limits.take(trouble, now)
        self.knowledge.remember(trouble.kind, life, now)
        return [Log(record=record_of(trouble, action, "told", outcome_of(belief, now))), Tell(belief=belief)]

    def _elapsed(self, now: float) -> list[Effect]:
        effects: list[Effect] = []
        for node, (_, until) in list(self._restarting.items()):
            if until <= now:
                del self._restarting[node]
        for belief in self.knowledge.beliefs():
            if belief.until_s is not None and belief.until_s <= now:
                effects.extend(self._trusted(belief, now))
        for waiting in list(self._deferred.values()):
            if waiting.next_s > now:
                continue
            waiting.next_s = now + RETRY_S
            if now - waiting.heard_s > self.config.defer_s or self.knowledge.is_over(waiting.trouble.life):
                del self._deferred[waiting.trouble.id]
                rule, action = waiting.steps[0]
                record = record_of(waiting.trouble, action, rule, "given up", latency_s=now - waiting.heard_s)
                effects.append(Log(record=record))
            else:
                effects.extend(self._execute(waiting.trouble, waiting.steps, waiting.heard_s, now))
        return effects

    def _trusted(self, belief: Belief, now: float) -> list[Effect]:
        """A probation has passed without a fault that made it longer."""
        self.knowledge.believe(replace(belief, standing=Standing.TRUSTED, until_s=None, shed=0.0))
        self._voices.settle(belief)
        trouble = Trouble(kind=belief.kind, life=belief.life, reason=belief.reason)
        return [Log(record=record_of(trouble, Rejoin(), "probation", "trusted", latency_s=now - belief.since_s))]
