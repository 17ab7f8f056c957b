"""The K of MAPE-K: what one node knows of the others' faults and standing. Pure.

Invariants: a quarantine ends with its epoch, never before; everything is bounded, the oldest is forgotten first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping

from ..peers import PeerId, Standing
from .config import HealingConfig
from .model import Belief, Life, Trouble

MAX_LIVES = 4096
"""Lives that something is believed of."""
MAX_FAULTS = 64
"""Faults remembered of one agent of one node."""
MAX_AGENTS = 4096

_RANK = {Standing.TRUSTED: 0, Standing.PROBATION: 1, Standing.QUARANTINED: 2}
_Key = tuple[str, int]


class Knowledge:
    """What one node knows.

    Args:
        config: the knobs.
    """

    def __init__(self, config: HealingConfig) -> None:
        self.config = config
        self.epochs: dict[str, int] = {}
        self.alive: dict[str, int] = {}
        self._lost: dict[str, tuple[float, int]] = {}
        self._beliefs: dict[_Key, Belief] = {}
        self._faults: dict[tuple[str, str], deque[tuple[float, str]]] = {}

    # -- who is there ----------------------------------------------------------------------------------------------

    def arrived(self, node: str, epoch: int) -> bool:
        """A node is alive; returns whether that is news. Its former lives are over."""
        if self.alive.get(node) == epoch or epoch < self.epochs.get(node, 0):
            return False
        self.alive[node] = self.epochs[node] = epoch
        if len(self.epochs) > MAX_AGENTS:
            forgotten = next(name for name in self.epochs if name not in self.alive or name != node)
            del self.epochs[forgotten]
            self.alive.pop(forgotten, None)
        return True

    def gone(self, node: str, epoch: int, now: float) -> bool:
        """A node's life is over, or so it seems; returns whether that is news."""
        if self.alive.get(node) != epoch:
            return False
        del self.alive[node]
        self._lost[node] = now, 1
        since = now - self.config.restart_s
        together = [name for name, (at, _) in self._lost.items() if at >= since]
        for name in together:
            at, most = self._lost[name]
            self._lost[name] = at, max(most, len(together))
        if len(self._lost) > MAX_AGENTS:
            del self._lost[next(iter(self._lost))]
        return True

    def back(self, node: str) -> int:
        """A node that was gone is there again; returns how many went within `restart_s` of it, itself among them; 0
        when it was not gone."""
        return self._lost.pop(node, (0.0, 0))[1]

    def is_over(self, life: Life) -> bool:
        """Whether a later life of that node has been seen."""
        return life.epoch < self.epochs.get(life.node, 0)

    # -- faults ----------------------------------------------------------------------------------------------------

    def remember(self, kind: str, life: Life, now: float) -> None:
        """Counts a fault against an agent of a node, whatever its life."""
        kept = self._faults.pop((life.agent, life.node), None) or deque(maxlen=MAX_FAULTS)
        kept.append((now, kind))
        self._faults[life.agent, life.node] = kept
        if len(self._faults) > MAX_AGENTS:
            del self._faults[next(iter(self._faults))]

    def forget(self, kind: str, life: Life) -> None:
        """Takes back the last fault of an agent of a node, if it is of that kind: it was not its own."""
        faults = self._faults.get((life.agent, life.node))
        if faults and faults[-1][1] == kind:
            faults.pop()
            if not faults:
                del self._faults[life.agent, life.node]

    def count(self, life: Life, now: float, kind: str | None = None) -> int:
        """Faults of that agent of that node within the window, in any life; of one kind, or of all."""
        since = now - self.config.window_s
        faults = self._faults.get((life.agent, life.node), ())
        return sum(1 for at, what in faults if at >= since and kind in (None, what))

    def suspects_of(self, node: str, now: float) -> list[tuple[str, str, int]]:
        """Agents of that node with faults within the window: the name (empty: the whole node), the kind of the last
        fault, and how many there were."""
        found = (
            (agent, faults[-1][1], self.count(Life(agent, node, 0), now))
            for (agent, where), faults in self._faults.items()
            if where == node
        )
        return sorted(one for one in found if one[2])

    # -- standing --------------------------------------------------------------------------------------------------

    def believe(self, belief: Belief) -> bool:
        """Takes it for true; returns whether that changed anything. A quarantine stays."""
        key = belief.life.peer.name, belief.life.epoch
        known = self._beliefs.get(key)
        if known is not None and (known.standing is Standing.QUARANTINED or known == belief):
            return False
        self._beliefs.pop(key, None)
        if belief.standing is not Standing.TRUSTED or belief.shed:
            self._beliefs[key] = belief
            if len(self._beliefs) > MAX_LIVES:
                self._forget()
        return known is not None or key in self._beliefs

    def _forget(self) -> None:
        """The oldest life that is over, or else the oldest."""
        over = (key for key, belief in self._beliefs.items() if self.is_over(belief.life))
        del self._beliefs[next(over, next(iter(self._beliefs)))]

    def belief(self, life: Life) -> Belief | None:
        """What is believed of that very life, that of its whole node left aside."""
        return self._beliefs.get((life.agent, life.epoch))

    def beliefs(self) -> Iterator[Belief]:
        """All that is not plain trust."""
        return iter(tuple(self._beliefs.values()))

    def _of(self, peer: PeerId) -> list[Belief]:
        found = (self._beliefs.get(key) for key in {(peer.name, peer.epoch), ("", peer.epoch)})
        return [belief for belief in found if belief is not None]

    def standing(self, peer: PeerId) -> Standing:
        """How far that life is to be trusted: the worse of what is believed of the agent and of its node."""
        return max((belief.standing for belief in self._of(peer)), key=_RANK.__getitem__, default=Standing.TRUSTED)

    def weight(self, peer: PeerId) -> float:
        """The share of work to give it: 0 in quarantine, less on probation and while it sheds, else 1."""
        weight = 1.0
        for belief in self._of(peer):
            if belief.standing is Standing.QUARANTINED:
                return 0.0
            on_probation = belief.standing is Standing.PROBATION
            weight = min(weight, (self.config.probation_weight if on_probation else 1.0) * (1.0 - belief.shed))
        return weight

    def quarantined_nodes(self) -> set[str]:
        """Live nodes of which some agent, in their present life, is in quarantine."""
        return {
            belief.life.node
            for belief in self._beliefs.values()
            if belief.standing is Standing.QUARANTINED and self.alive.get(belief.life.node) == belief.life.epoch
        }


class Known:
    """What a rule may know: the knowledge at the time of one fault, to be read only.

    Attributes:
        now: seconds, on the event loop's clock.
        config: the knobs.
        me: this node's name.
    """

    __slots__ = ("_fault", "_knowledge", "config", "me", "now")

    def __init__(self, knowledge: Knowledge, fault: Trouble, now: float, me: str) -> None:
        self._knowledge = knowledge
        self._fault = fault
        self.now = now
        self.config = knowledge.config
        self.me = me

    @property
    def fleet(self) -> Mapping[str, int]:
        """The live nodes and their epochs."""
        return dict(self._knowledge.alive)

    @property
    def is_alive(self) -> bool:
        """Whether the accused's node is believed alive."""
        return self._fault.life.node in self._knowledge.alive

    def count(self, kind: str | None = None) -> int:
        """Faults of the accused within the window, this one included; of one kind, or of all."""
        this = 1 if kind in (None, self._fault.kind) else 0
        return self._knowledge.count(self._fault.life, self.now, kind) + this

    def standing(self, peer: PeerId | None = None) -> Standing:
        """Of that life, by default the accused's."""
        return self._knowledge.standing(peer or self._fault.life.peer)
