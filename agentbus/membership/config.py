"""The knobs, the formula beside each, and what comes out of them.

How long until a crash is known, by formula (n live members, period T, without loss):

* first probed by anybody: each of n - 1 nodes probes one of the others a period, so the chance that nobody probes
  the dead one in a period is ``(1 - 1/(n-1))^(n-1)``, about 1/e: e/(e-1) = 1.58 periods in synchronous rounds (SWIM,
  section 3.1), a mean of T when the nodes' rounds are not aligned;
* then that probe fails: T;
* then the suspicion runs for ``alpha * max(1, log10 n) * T`` at the least, which is reached when K more nodes have
  found the same, after about K more periods; and for beta times as long when nobody else finds it.

So a crash is declared after about ``T * (2 + alpha * max(1, log10 n))``, and everybody knows one or two gossip
intervals later. `expected_detection_s` says it for a configuration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..errors import ConfigurationError
from .suspicion import scale


@dataclass(frozen=True, slots=True, kw_only=True)
class MembershipConfig:
    """All knobs of membership. `local`, `lan` and `wan` give sets that go together; `dataclasses.replace` changes one.

    Attributes:
        period_s: T, seconds between two probes; times (1 + health score) when this node is not well.
        timeout_s: seconds until a ping that is not answered is asked for by way of others; times the same.
        indirect: nodes asked to ping in one's place (SWIM's k).
        alpha: shortest suspicion ``alpha * max(1, log10(n)) * period_s``.
        beta: longest suspicion, in multiples of the shortest.
        confirmations: K, further accusers that make a suspicion as short as can be; at most n - 2.
        retransmit: lambda: a word is passed on ``lambda * ceil(log10(n + 1))`` times by each node.
        gossip_s, fanout: while there is news, it goes to `fanout` random nodes each `gossip_s` seconds, beside
            riding on pings and acks.
        push_pull_s: seconds between two exchanges of everything with a random node; 0 for never.
        revive_s: seconds between two pings to one of the failed, so that a healed partition is found; 0 for never.
        rejoin_s: the realm as a whole hears one `Join` in about so many seconds, each node one in ``n * rejoin_s``: so
            that those who forgot one another meet again; 0 for never.
        join_s: seconds until a joiner that was told nothing asks again; and, for a node that comes in with a clock set
            back, within which it outranks the life before.
        answers: nodes that answer a joiner, expected: each does by chance ``answers / n``.
        answer_within_s: answers are spread over so many seconds.
        probe_order: ``"round-robin"``: everyone once before anyone twice, in an order shuffled at each turn, which
            bounds the time to the first probe by ``(2n - 1) * T``; ``"random"``: SWIM's analysis.
        max_health: the largest local health score (Lifeguard's S).
        nack_share: who was asked to ping, and had no answer after this share of ``period_s - timeout_s``, says so.
        reclaim_s: seconds for which the dead are remembered in full.
        max_members: nodes that are remembered, dead and alive; further ones are ignored.
        packet_bytes: bytes of words on one packet.
        table_bytes: bytes of one packet of push-pull; a larger table goes in several.
        agents_bytes: bytes that one node may say of its agents; what is beyond is not told.
        local_health: Lifeguard's local health multiplier. This and the next three can be turned off to compare.
        nacks: Lifeguard's: an intermediary that gets no answer says so.
        buddy: Lifeguard's: a suspected node is told by whoever pings it.
        confirm: Lifeguard's: suspicions shrink with confirmations; without, each takes the shortest time.
        voices: nodes that must have told of a death, or of the suspicion before it, until it is believed; what this
            node finds out itself is one of them. With 1 (SWIM) any member can have any other taken for dead.
        freeze: no verdicts while this node's own link or loop is not well.
        lag_s: a timer that fires so late means that this node was stopped or starved. Default period_s / 4.
        settle_s: seconds without verdicts after such a lag, to hear what waited.
        outage_settle_s: seconds without verdicts after the link was down: others have to come back, too; more than
            the transport's longest wait between two attempts.
    """

    period_s: float = 1.0
    timeout_s: float = 0.3
    indirect: int = 3
    alpha: float = 4.0
    beta: float = 6.0
    confirmations: int = 3
    retransmit: int = 4
    gossip_s: float = 0.2
    fanout: int = 3
    push_pull_s: float = 30.0
    revive_s: float = 5.0
    rejoin_s: float = 20.0
    join_s: float = 2.0
    answers: float = 3.0
    answer_within_s: float = 0.2
    probe_order: Literal["round-robin", "random"] = "round-robin"
    max_health: int = 8
    nack_share: float = 0.8
    reclaim_s: float = 3600.0
    max_members: int = 16_384
    packet_bytes: int = 8_192
    table_bytes: int = 65_536
    agents_bytes: int = 4_096
    local_health: bool = True
    nacks: bool = True
    buddy: bool = True
    confirm: bool = True
    voices: int = 2
    freeze: bool = True
    lag_s: float = 0.25
    settle_s: float = 1.0
    outage_settle_s: float = 4.0

    def __post_init__(self) -> None:
        if not 0.0 < self.timeout_s < self.period_s:
            raise ConfigurationError(
                f"membership: timeout_s={self.timeout_s:g} with period_s={self.period_s:g}: the indirect probe needs "
                "what remains of the period, so 0 < timeout_s < period_s"
            )
        for name in ("alpha", "gossip_s", "join_s", "reclaim_s", "lag_s", "answers"):
            if getattr(self, name) <= 0:
                raise ConfigurationError(f"membership: {name}={getattr(self, name)!r}: write a number above 0")
        for name in ("indirect", "confirmations", "max_health", "push_pull_s", "revive_s", "rejoin_s", "settle_s"):
            if getattr(self, name) < 0:
                raise ConfigurationError(f"membership: {name}={getattr(self, name)!r}: write 0 or more")
        for name in ("retransmit", "fanout", "max_members", "voices"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"membership: {name}={getattr(self, name)!r}: write 1 or more")
        if self.beta < 1.0 or not 0.0 < self.nack_share < 1.0:
            raise ConfigurationError("membership: beta is 1 or more, nack_share between 0 and 1")
        if self.agents_bytes + 512 > self.packet_bytes or self.packet_bytes > self.table_bytes:
            raise ConfigurationError("membership: agents_bytes + 512 <= packet_bytes <= table_bytes must hold")

    def shortest_s(self, members: int) -> float:
        """The shortest suspicion among `members` live nodes, seconds."""
        return self.alpha * scale(members) * self.period_s

    def expected_detection_s(self, members: int) -> float:
        """About when a crash is declared, seconds after it, by the formula above."""
        return 2.0 * self.period_s + self.shortest_s(members)


def local() -> MembershipConfig:
    """One machine, or a rack with little else to do: a crash among 128 nodes is declared after 1.7 s, among 12 after
    1.1 s. ``T = 0.2``, ``alpha = 3``."""
    return MembershipConfig(
        period_s=0.2,
        timeout_s=0.08,
        alpha=3.0,
        gossip_s=0.1,
        push_pull_s=10.0,
        revive_s=2.0,
        rejoin_s=10.0,
        join_s=1.0,
        answer_within_s=0.1,
        reclaim_s=600.0,
        lag_s=0.05,
        settle_s=0.2,
        outage_settle_s=3.0,
    )


def lan() -> MembershipConfig:
    """A data centre: among 128 nodes a crash is declared after 10.4 s, among 12 after 6.3 s. ``T = 1, alpha = 4``."""
    return MembershipConfig()


def wan() -> MembershipConfig:
    """Between continents: among 128 nodes a crash is declared after 73 s, among 12 after 42 s. ``T = 5, alpha = 6``."""
    return MembershipConfig(
        period_s=5.0,
        timeout_s=2.0,
        alpha=6.0,
        gossip_s=0.5,
        fanout=4,
        push_pull_s=60.0,
        revive_s=20.0,
        rejoin_s=60.0,
        join_s=5.0,
        answer_within_s=1.0,
        lag_s=1.0,
        settle_s=3.0,
        outage_settle_s=8.0,
    )
