"""A shard's result log, read from its beginning: what counts, what is void, where the work stands. Pure.

Invariants, whatever is in the log:

* The inputs of the live segments ascend: no input is counted twice.
* A segment counts only if its token is that of the last accepted claim and it goes on from the last live segment: what
  a holder wrote after it was fenced counts for nothing, even if a broker had taken it.
* Tokens of accepted claims never go down.
* A claim that rewinds voids the live segments after the one that it names, and nothing else.

All who read the same log get the same state; only whom they trust may differ (`standing` in `verified` and `suspect`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from ..peers import PeerId
from .model import Attest, Claim, Entry, Segment


@dataclass(slots=True, kw_only=True)
class Link:
    """A segment that counts: what is kept of it in memory.

    Attributes:
        sequence: its number in the log.
        previous: that of the segment before; 0: the beginning.
        author: who committed it, and on which node.
        first, last: of its inputs.
        inputs: how many they are.
        attested: who found the same, by name: the last life of each.
    """

    sequence: int
    previous: int
    author: PeerId
    node: str
    first: int
    last: int
    inputs: int
    attested: dict[str, PeerId] = field(default_factory=dict[str, PeerId])

    def verified(self, liars: int, trusted: Trust) -> bool:
        """Whether f + 1 others that are trusted have found the same."""
        return len(self.attested) > liars and sum(1 for peer in self.attested.values() if trusted(peer)) > liars


Trust = Callable[[PeerId], bool]
"""Whose attestations count."""


def everybody(peer: PeerId) -> bool:
    """Trusts anybody that has a name."""
    return bool(peer.name)


class ShardLog:
    """The state that a log leads to.

    Attributes:
        claim: the last accepted one; None: nobody has held the shard.
        links: the segments that count, in order.
        last: the number of the last message, what the next one has to expect; attestations are not in the log.
        void: segments that counted and were made void.
        ignored: messages that counted for nothing.
        committed: inputs in the segments that count.
        holders: the accepted claims, by token: whose a segment is, also when it is void.
    """

    def __init__(self) -> None:
        self.claim: Claim | None = None
        self.links: list[Link] = []
        self.last = 0
        self.void = 0
        self.ignored = 0
        self.committed = 0
        self.holders: dict[int, Claim] = {}
        self._by_sequence: dict[int, Link] = {}
        self._by_author: dict[PeerId, dict[int, Link]] = {}

    @property
    def tip(self) -> Link | None:
        """The last segment that counts."""
        return self.links[-1] if self.links else None

    @property
    def tip_sequence(self) -> int:
        """Its number; 0: none counts."""
        return self.links[-1].sequence if self.links else 0

    @property
    def position(self) -> int:
        """Stream number of the last committed input; 0 for none."""
        return self.links[-1].last if self.links else 0

    @property
    def token(self) -> int:
        """That of the holder; 0 for none."""
        return self.claim.token if self.claim else 0

    def link(self, sequence: int) -> Link | None:
        """The segment of that number, if it counts."""
        return self._by_sequence.get(sequence)

    def apply(self, sequence: int, entry: Entry | None) -> bool:
        """Reads one more message, number `sequence`; None: one that can't be read. Returns whether it counts."""
        if isinstance(entry, Attest):
            return self._attest(entry)
        if sequence <= self.last:
            return False  # read before
        self.last = sequence
        match entry:
            case Claim():
                counts = self._claim(entry)
            case Segment():
                counts = self._segment(sequence, entry)
            case None:
                counts = False
        self.ignored += not counts
        return counts

    def _claim(self, claim: Claim) -> bool:
        again = self.claim is not None and claim.token == self.claim.token and claim.holder == self.claim.holder
        if claim.token <= self.token and not again:
            return False
        if claim.rewind_to and claim.rewind_to not in self._by_sequence:
            return False
        while self.links and self.links[-1].sequence > claim.rewind_to:
            gone = self.links.pop()
            del self._by_sequence[gone.sequence]
            written = self._by_author[gone.author]
            del written[gone.sequence]
            if not written:
                del self._by_author[gone.author]
            self.committed -= gone.inputs
            self.void += 1
        self.claim = self.holders[claim.token] = claim
        return True

    def _segment(self, sequence: int, segment: Segment) -> bool:
        claim = self.claim
        if claim is None or segment.token != claim.token or segment.previous != self.tip_sequence:
            return False
        inputs = segment.inputs
        if not inputs or len(inputs) != len(segment.results) or inputs[0] <= self.position:
            return False
        if any(later <= earlier for earlier, later in pairwise(inputs)):
            return False
        link = Link(
            sequence=sequence,
            previous=segment.previous,
            author=claim.holder,
            node=claim.node,
            first=inputs[0],
            last=inputs[-1],
            inputs=len(inputs),
        )
        self.links.append(link)
        self._by_sequence[sequence] = link
        self._by_author.setdefault(link.author, {})[sequence] = link
        self.committed += link.inputs
        return True

    def _attest(self, attest: Attest) -> bool:
        link = self._by_sequence.get(attest.segment)
        if link is None or attest.by.name == link.author.name:
            return False
        link.attested[attest.by.name] = attest.by
        return True

    # -- judged ----------------------------------------------------------------------------------------------------

    def verified(self, liars: int, trusted: Trust = everybody) -> int:
        """How many of `links`, from the beginning, are verified without a gap."""
        for index, link in enumerate(self.links):
            if not link.verified(liars, trusted):
                return index
        return len(self.links)

    def suspect(self, condemned: Iterable[int], liars: int, trusted: Trust = everybody) -> int | None:
        """Where to rewind to: the number of the last segment before the first that is not verified, and condemned or
        of an author that is not trusted. Takes a look at each author, and at what those who are not trusted have left.

        Args:
            condemned: numbers of segments that are not to be built upon.
            liars: f.
            trusted: whose segments, and whose attestations, count.

        Returns:
            0: the beginning; None: nothing is to be rewound.
        """
        links = [link for number in condemned if (link := self._by_sequence.get(number)) is not None]
        for author, written in self._by_author.items():
            if not trusted(author):
                links += written.values()
        found = [link for link in links if not link.verified(liars, trusted)]
        return min(found, key=lambda link: link.sequence).previous if found else None


def fold(entries: Iterable[tuple[int, Entry | None]]) -> ShardLog:
    """The state that messages lead to, each with its number."""
    log = ShardLog()
    for sequence, entry in entries:
        log.apply(sequence, entry)
    return log
