"""The quorum: what follows from accusations and votes. Pure: events in, effects out.

The quorum is Byzantine fault tolerance's smallest certificate, f + 1 that say the same (Castro and Liskov, OSDI 1999,
section 4.2): one of them is honest, and an honest witness says only what it has found out itself.

Invariants, with at most f lying nodes:
* nobody is convicted of what no honest witness has confirmed; nobody is a false accuser of whom no honest witness has
  heard, from itself, accusations that it then denied;
* votes only add up: nodes that have heard the same votes, in whatever order, have reached the same verdicts;
* a node has one vote a side, none about its own agents, and none when it is not believed alive in that life;
* what is remembered has limits and ends.
"""

from __future__ import annotations

from collections import deque
from math import inf

from ...faults import FALSE_ACCUSER
from ...peers import PeerId, PeerView
from .config import VerdictConfig
from .docket import Docket, Track
from .model import (
    Accuse,
    Case,
    Convict,
    Effect,
    Event,
    Finding,
    Found,
    Publish,
    Reproduce,
    Verdict,
    Vote,
    Witness,
)


class Quorum:
    """One node's side.

    Args:
        me: this node's witness.
        peers: who is alive.
        config: the knobs.
    """

    def __init__(self, me: Witness, peers: PeerView, config: VerdictConfig) -> None:
        self.me = me
        self.config = config
        self.docket = Docket(config)
        self._peers = peers
        self._convicted: dict[tuple[PeerId, str], Verdict] = {}
        self._charges: dict[PeerId, deque[tuple[float, frozenset[str]]]] = {}
        self._number = 0
        self._out: list[Effect] = []

    # -- what the driver calls -------------------------------------------------------------------------------------

    def handle(self, event: Event, now: float) -> list[Effect]:
        """One event."""
        match event:
            case Vote():
                self._hear(event, now)
            case Accuse():
                self._accuse(event.case, now)
            case Found():
                self._found(event, now)
        return self._effects()

    def tick(self, now: float) -> list[Effect]:
        """Does what is due. Does nothing when nothing is."""
        self.docket.expire(now)
        for track in self.docket:
            if track.again_at <= now:
                self._say(track, now)
            if track.retry_at <= now:
                track.retry_at = inf
                if not self._is_settled(track):
                    self._look(track, now)
        return self._effects()

    def next_deadline(self) -> float | None:
        """When `tick` is to be called, or None: not before the next event."""
        due = min(
            (min(track.again_at, track.retry_at, self.docket.end(track)) for track in self.docket),
            default=inf,
        )
        return None if due == inf else due

    def needed(self, case: Case, now: float) -> bool:
        """Whether a look that was asked for, and has not begun, is still to be taken; if not, nothing is `Found`."""
        track = self.docket.get(case)
        if track is None or not track.busy:
            return False
        behind_s = self._stands_behind(case, now, before=case.evidence)
        if track.mine is None and not self._is_settled(track) and behind_s is None:
            return True
        track.busy = False
        track.tries -= 1
        if behind_s is not None:
            track.retry_at = behind_s
        return False

    def convicted(self, agent: PeerId, kind: str | None = None) -> bool:
        """Whether that life of the agent was convicted, of anything or of one kind."""
        if kind is not None:
            return (agent, kind) in self._convicted
        return any(name == agent for name, _ in self._convicted)

    def verdicts(self) -> list[Verdict]:
        """All that are remembered, oldest first."""
        return list(self._convicted.values())

    # -- events ----------------------------------------------------------------------------------------------------

    def _hear(self, vote: Vote, now: float) -> None:
        case, by = vote.case, vote.by
        nodes = {peer.id: peer.node for peer in self._peers.alive()}
        if vote.finding is Finding.UNKNOWN or by.node in (self.me.node, case.node) or nodes.get(by.id) != by.node:
            return
        track = self.docket.get(case)
        if track is None:
            if self.docket.is_over(vote) or nodes.get(case.accused) != case.node:
                return
            track = self.docket.open(case, by.node, now)
            if track is None:
                return
        if track.count(vote):
            self._tally(track, now)
        if vote.accuses and not self._is_settled(track) and not self.convicted(by.id, FALSE_ACCUSER):
            self._look(track, now)
        if vote.undecided and track.decided and now >= track.said_at + self.config.again_s:
            self._say(track, now)

    def _accuse(self, case: Case, now: float) -> None:
        if self.convicted(case.accused, case.kind) or case.node == self.me.node:
            return
        if {peer.id: peer.node for peer in self._peers.alive()}.get(case.accused) != case.node:
            return
        if self._stands_behind(case, now) is not None:
            return
        track = self.docket.get(case) or self.docket.open(case, self.me.node, now)
        if track is None or track.mine is not None:
            return
        track.accused_by_me = True
        self._vote(track, Finding.CONFIRMED, now)

    def _found(self, found: Found, now: float) -> None:
        track = self.docket.get(found.case)
        if track is None:
            return
        track.busy = False
        if track.mine is not None:
            return
        if found.finding is not Finding.UNKNOWN:
            self._vote(track, found.finding, now)
        elif track.tries < self.config.tries:
            track.retry_at = now + self.config.retry_s * 2 ** (track.tries - 1)

    # -- inside ----------------------------------------------------------------------------------------------------

    def _effects(self) -> list[Effect]:
        out, self._out = self._out, []
        return out

    def _is_settled(self, track: Track) -> bool:
        return track.decided or self.convicted(track.case.accused, track.case.kind)

    def _stands_behind(self, case: Case, now: float, *, before: str | None = None) -> float | None:
        """Until when votes are awaited on another case against the same life that this node has confirmed; with
        `before`, on one whose evidence comes before it: all nodes prefer the same one. None: there is none."""
        for track in self.docket:
            other = track.case
            if (other.accused, other.kind) != (case.accused, case.kind) or other == case:
                continue
            if track.mine is not Finding.CONFIRMED or track.decided or (before is not None and other.evidence > before):
                continue
            if now < track.voted_at + self.config.patience_s:
                return track.voted_at + self.config.patience_s
        return None

    def _look(self, track: Track, now: float) -> None:
        if track.case.node == self.me.node or track.mine is not None or track.busy or track.retry_at < inf:
            return
        if track.tries >= self.config.tries:
            return
        behind_s = self._stands_behind(track.case, now, before=track.case.evidence)
        if behind_s is not None:
            track.retry_at = behind_s
            return
        track.busy = True
        track.tries += 1
        author = next(iter(track.authors), None)
        self._out.append(Reproduce(track.case, author.node if author else track.opener))

    def _vote(self, track: Track, finding: Finding, now: float) -> None:
        track.mine = finding
        track.voted_at = now
        track.count(self._ballot(track, finding, now))
        self._tally(track, now)
        self._say(track, now)

    def _ballot(self, track: Track, finding: Finding, now: float) -> Vote:
        # An agent that was built again within one life of its node must not begin at 1 again.
        self._number = max(self._number + 1, int(now * 1000))
        return Vote(
            case=track.case,
            finding=finding,
            by=self.me,
            number=self._number,
            accuses=track.accused_by_me,
            undecided=not self._is_settled(track),
        )

    def _say(self, track: Track, now: float) -> None:
        if track.mine is None:
            track.again_at = inf
            return
        self._out.append(Publish(self._ballot(track, track.mine, now)))
        track.said_at = now
        track.again_at = now + track.pause_s
        if self._is_settled(track):
            track.pause_s *= 2
        else:
            track.pause_s = min(track.pause_s * 1.5, self.config.slow_again_s)

    def _tally(self, track: Track, now: float) -> None:
        case, quorum = track.case, self.config.quorum
        if len(track.confirmed) >= quorum:
            track.decided = True
            self._convict(case.kind, case.accused, case.node, case.evidence, track.confirmed)
        for author, counted in track.authors.items():
            against = frozenset(track.denied) - {author.node}
            if counted or len(against) < quorum:
                continue
            track.decided = True
            track.authors[author] = True
            self._charge(author, against, now)

    def _charge(self, author: Witness, against: frozenset[str], now: float) -> None:
        charges = self._charges.setdefault(author.id, deque(maxlen=self.config.max_false))
        charges.append((now, against))
        while charges[0][0] < now - self.config.memory_s:
            charges.popleft()
        if len(charges) >= self.config.max_false:
            deniers = frozenset[str]().union(*(nodes for _, nodes in charges))
            reason = f"{len(charges)} accusations denied"
            self._convict(FALSE_ACCUSER, author.id, author.node, reason, deniers)
        while len(self._charges) > self.config.max_convicted:
            del self._charges[next(iter(self._charges))]

    def _convict(
        self, kind: str, agent: PeerId, node: str, reason: str, witnesses: dict[str, None] | frozenset[str]
    ) -> None:
        if (agent, kind) in self._convicted:
            return
        verdict = Verdict(kind=kind, agent=agent, node=node, reason=reason, witnesses=tuple(sorted(witnesses)))
        self._convicted[agent, kind] = verdict
        self._out.append(Convict(verdict))
        while len(self._convicted) > self.config.max_convicted:
            del self._convicted[next(iter(self._convicted))]
