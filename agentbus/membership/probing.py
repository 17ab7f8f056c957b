"""Asking others whether they live: one at a time, then by way of others (SWIM, section 3.1), with Lifeguard's nacks."""

from __future__ import annotations

from math import inf

from .beliefs import Beliefs
from .config import MembershipConfig
from .members import Member
from .model import PacketKind, State


class Probe:
    """A ping under way.

    `stage`: it waits for the target; then it has asked others to ping it; or it was answered.
    """

    __slots__ = ("asked", "began", "ends", "nacks", "sequence", "stage", "target")

    def __init__(self, target: Member, sequence: int, began: float, ends: float) -> None:
        self.target = target
        self.sequence = sequence
        self.began = began
        self.ends = ends
        self.stage = "waiting"
        self.asked: list[str] = []
        self.nacks: set[str] = set()


class Probing:
    """One node's probes.

    Args:
        beliefs: of the node.
        config: the knobs.
        now: the time.

    Attributes:
        at: when the next step is due.
    """

    def __init__(self, beliefs: Beliefs, config: MembershipConfig, now: float) -> None:
        self.at = inf
        self._beliefs = beliefs
        self._config = config
        self._sequence = 0
        self._probe: Probe | None = None
        self._revive_at = now + config.revive_s if config.revive_s else inf
        self._echo: tuple[int, float] = (0, -inf)

    def next_sequence(self) -> int:
        """A number that no ping of this node had."""
        self._sequence += 1
        return self._sequence

    def restart(self, at: float) -> None:
        """Forgets the probe that runs: it proves nothing."""
        self._probe = None
        self.at = at

    @property
    def allowed_s(self) -> float:
        """Two rounds: something was answered within that, unless the own link is not well."""
        return 2.0 * self._config.period_s * self._beliefs.awareness.factor

    # -- steps -----------------------------------------------------------------------------------------------------

    def step(self, now: float) -> None:
        """Does what is due: begins a probe, asks others, or gives up."""
        probe = self._probe
        if probe is not None and probe.stage == "waiting":
            self._ask_others(probe, now)
            return
        if probe is not None and probe.stage == "asked":
            self._give_up(probe, now)
        self._begin(now)

    def _begin(self, now: float) -> None:
        config = self._config
        self._beliefs.members.reclaim(now)
        if now >= self._revive_at:
            self._revive_at = now + config.revive_s
            self._ping_a_failed_one()
        target = self._choose()
        factor = self._beliefs.awareness.factor
        if target is None:
            self._beliefs.freeze.nobody_asked(now)
            self.restart(now + config.period_s)
            return
        self._probe = Probe(target, self.next_sequence(), now, now + config.period_s * factor)
        self.at = now + config.timeout_s * factor
        self.ping(target, self._probe.sequence)

    def _choose(self) -> Member | None:
        members, urgent = self._beliefs.members, self._beliefs.urgent
        while urgent:
            name = urgent.popleft()
            if name in members.living:
                return members.by_name[name]
        chosen = members.living.turn() if self._config.probe_order == "round-robin" else members.living.pick()
        return None if chosen is None else members.by_name[chosen]

    def ping(self, target: Member, sequence: int) -> None:
        """Pings; one that is suspected is told so (Lifeguard's buddy system)."""
        words = self._beliefs.take_news()
        if self._config.buddy and target.word.state is not State.ALIVE and target.word not in words:
            words = (target.word, *words)
        self._beliefs.send(target.name, PacketKind.PING, sequence, target.name, words)

    def _ping_a_failed_one(self) -> None:
        """It may be alive on the other side of a partition that has healed; then it refutes."""
        members = self._beliefs.members
        name = members.failed.pick()
        if name is not None:
            word = members.by_name[name].word
            self._beliefs.send(name, PacketKind.PING, self.next_sequence(), name, (word,))

    def _ask_others(self, probe: Probe, now: float) -> None:
        probe.stage = "asked"
        self.at = probe.ends
        if self._config.freeze:
            self.send_echo(now)
        members, suspicion = self._beliefs.members, probe.target.suspicion
        if self._config.confirm and suspicion is not None and suspicion.settled:
            return  # enough have found the same: one voice more is not worth its packets
        probe.asked = members.living.sample(self._config.indirect, but={probe.target.name, *members.suspected})
        for other in probe.asked:
            self._beliefs.send(other, PacketKind.PING_REQUEST, probe.sequence, probe.target.name)

    def _give_up(self, probe: Probe, now: float) -> None:
        beliefs, config = self._beliefs, self._config
        if probe.target.word.state is not State.ALIVE:
            pass  # others have found the same: it is not me
        elif config.nacks and probe.asked:  # of a helper that is suspected itself by now nothing is expected
            beliefs.awareness.apply(len(set(probe.asked) - probe.nacks - beliefs.members.suspected))
        else:
            beliefs.awareness.apply(1)
        if config.freeze and (beliefs.freeze.proved < probe.began or beliefs.freeze.frozen(now)):
            return
        if not probe.target.dead:
            beliefs.accuse(probe.target, now)

    # -- answers ---------------------------------------------------------------------------------------------------

    def hear_ack(self, source: str, epoch: int, sequence: int, target: str, now: float) -> None:
        """The target, or who pinged it in our place, has answered."""
        probe = self._probe
        if probe is None or probe.sequence != sequence or target != probe.target.name or probe.stage == "answered":
            return
        if source == target and epoch != probe.target.word.epoch:
            return  # another life of that name
        self._answered(probe.began, now)
        self._beliefs.awareness.apply(-1)
        probe.stage = "answered"
        self.at = probe.ends

    def hear_nack(self, source: str, sequence: int) -> None:
        """Who was asked to ping lives, and had no answer."""
        probe = self._probe
        if probe is not None and probe.sequence == sequence and source in probe.asked:
            probe.nacks.add(source)

    def send_echo(self, now: float) -> None:
        """Asks oneself, by way of the broker, unless that was just done."""
        sequence, sent = self._echo
        if now - sent >= self._config.timeout_s:
            self._echo = (sequence + 1, now)
            self._beliefs.send(self._beliefs.name, PacketKind.ECHO, sequence + 1)

    def hear_echo(self, sequence: int, now: float) -> None:
        """The own link is well."""
        if sequence == self._echo[0]:
            self._answered(self._echo[1], now)

    def _answered(self, sent: float, now: float) -> None:
        self._beliefs.postpone(self._beliefs.freeze.proof(sent, now, self.allowed_s))
