"""The table of members: the living, the dead that are remembered, and the buried."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .model import AgentEntry, State, Word
from .ring import Ring
from .suspicion import Suspicion

if TYPE_CHECKING:
    from random import Random

MAX_BURIED = 16_384
"""Names whose last word is remembered after they were forgotten, so that an older one does not bring them back."""


class Member:
    """One other node, as it is believed to be.

    Attributes:
        name: its name.
        word: the word that is believed.
        alive: the last word that it said of itself, with its agents; None when none was heard.
        suspicion: runs while it is suspected.
        voices: who has told, or found, that it is suspected or dead, since it was last believed well.
        farewell: that it has left, told by too few to be believed.
    """

    __slots__ = ("alive", "farewell", "name", "suspicion", "voices", "word")

    def __init__(self, word: Word) -> None:
        self.name = word.node
        self.word = word
        self.alive = word if word.state is State.ALIVE else None
        self.suspicion: Suspicion | None = None
        self.voices: set[str] = set()
        self.farewell: Word | None = None

    @property
    def dead(self) -> bool:
        """Whether it has failed or left."""
        return self.word.state >= State.FAILED

    @property
    def agents(self) -> tuple[AgentEntry, ...]:
        """What it hosts, as far as is known."""
        return self.alive.agents if self.alive is not None else ()


class Members:
    """All other nodes.

    Args:
        rng: chance.
        reclaim_s: seconds for which the dead are kept.

    Attributes:
        by_name: all that are remembered in full, dead and alive.
        living: those believed alive, suspected ones among them.
        failed: those that have failed and are remembered.
        suspected: the living that are suspected.
    """

    __slots__ = ("_buried", "_dead", "_reclaim_s", "by_name", "failed", "living", "suspected")

    def __init__(self, rng: Random, reclaim_s: float) -> None:
        self.by_name: dict[str, Member] = {}
        self.living = Ring(rng)
        self.failed = Ring(rng)
        self.suspected: set[str] = set()
        self._reclaim_s = reclaim_s
        self._dead: deque[tuple[float, Member, Word]] = deque()
        self._buried: OrderedDict[str, Word] = OrderedDict()

    def __len__(self) -> int:
        return len(self.by_name)

    def __iter__(self) -> Iterator[Member]:
        return iter(self.by_name.values())

    def add(self, word: Word, now: float) -> Member:
        """A name that was not in the table, with its first word."""
        member = self.by_name[word.node] = Member(word)
        if word.state is State.ALIVE:
            self.living.add(member.name)
        else:
            self.believe(member, word, now)
        return member

    def believe(self, member: Member, word: Word, now: float) -> None:
        """From now on, `word` holds of the member."""
        member.word = word
        if word.state is State.ALIVE:
            member.alive = word
            member.voices.clear()
            member.farewell = None
        if word.state is State.SUSPECT:
            self.suspected.add(member.name)
        else:
            member.suspicion = None
            self.suspected.discard(member.name)
        if member.dead:
            self.living.discard(member.name)
            self._dead.append((now, member, word))
            if word.state is State.FAILED:
                self.failed.add(member.name)
            else:
                self.failed.discard(member.name)
        else:
            self.living.add(member.name)
            self.failed.discard(member.name)

    def buried(self, node: str) -> Word | None:
        """The last word of a forgotten node: that it was dead."""
        return self._buried.get(node)

    def claim(self, node: str) -> Word | None:
        """What is believed of a node, forgotten or not."""
        member = self.by_name.get(node)
        return self._buried.get(node) if member is None else member.word

    def reclaim(self, now: float) -> None:
        """Forgets who has been dead for long enough, but for the last word."""
        while self._dead and self._dead[0][0] <= now - self._reclaim_s:
            _, member, word = self._dead.popleft()
            if member.word is not word or self.by_name.get(member.name) is not member:
                continue  # it came back, or died again
            del self.by_name[member.name]
            self.failed.discard(member.name)
            self._buried[member.name] = word
            self._buried.move_to_end(member.name)
            if len(self._buried) > MAX_BURIED:
                self._buried.popitem(last=False)
