"""Words that ride along on packets, each a limited number of times (SWIM, section 4.1)."""

from __future__ import annotations

from .model import Word


class _Entry:
    __slots__ = ("number", "sent", "word")

    def __init__(self, word: Word, number: int, sent: int) -> None:
        self.word = word
        self.number = number
        self.sent = sent


class Dissemination:
    """What this node passes on: one word a name, the last; those sent least go first, the newest of them before.

    A word is dropped when it was sent as often as the limit says. So the queue holds no more than the table of members.
    """

    __slots__ = ("_bytes", "_entries", "_number")

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._bytes = 0
        self._number = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, node: str) -> bool:
        return node in self._entries

    def put(self, word: Word) -> None:
        """Passes a word on, in place of what was to be said of that node before."""
        old = self._entries.pop(word.node, None)
        if old is not None:
            self._bytes -= old.word.size
        self._number += 1
        self._entries[word.node] = _Entry(word, self._number, 0)
        self._bytes += word.size

    def drop(self, node: str) -> None:
        """Says nothing of that node any more."""
        old = self._entries.pop(node, None)
        if old is not None:
            self._bytes -= old.word.size

    def take(self, room: int, limit: int, copies: int = 1) -> tuple[Word, ...]:
        """The words for a packet.

        Args:
            room: bytes, at most; a word that does not fit waits.
            limit: how often a word is sent before it is dropped.
            copies: to how many nodes the packet goes.
        """
        entries = self._entries
        if not entries:
            return ()
        taken = list(entries.values()) if self._bytes <= room else self._best(room)
        words: list[Word] = []
        for entry in taken:
            word = entry.word
            words.append(word)
            entry.sent += copies
            if entry.sent >= limit:
                del entries[word.node]
                self._bytes -= word.size
        return tuple(words)

    def _best(self, room: int) -> list[_Entry]:
        taken: list[_Entry] = []
        for entry in sorted(self._entries.values(), key=lambda entry: (entry.sent, -entry.number)):
            if entry.word.size <= room:
                room -= entry.word.size
                taken.append(entry)
        return taken
