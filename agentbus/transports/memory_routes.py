"""Who hears a subject: the interest table of the in-memory broker.

Interest lies in a trie of subject tokens, so that a subject never seen before (each reply has one) costs its number of
tokens, not the number of subscriptions. Invariants: what is found is in the order of subscribing; a `Route` in the
cache is true until the next change; the cache is emptied when it is full. Reference: NATS subject and queue semantics,
where members of one queue name are one group whatever pattern each of them listens on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING

from ..subjects import ALL, matches
from ..transport import Receiver

if TYPE_CHECKING:
    from .memory_link import Link
    from .memory_stream import MemoryStream

CACHED_ROUTES = 8192


class Interest:
    """One subscription, at the broker and in the user's hand. `active` turns false once and for ever."""

    __slots__ = ("_forget", "active", "link", "number", "pattern", "queue", "receiver")

    def __init__(
        self, link: Link, number: int, pattern: str, queue: str, receiver: Receiver, forget: Callable[[Interest], None]
    ) -> None:
        self.active = True
        self.link = link
        self.number = number
        self.pattern = pattern
        self.queue = queue
        self.receiver = receiver
        self._forget = forget

    def unsubscribe(self) -> None:
        """Ends the interest; messages under way are not received any more."""
        if self.active:
            self.active = False
            self._forget(self)

    def drain(self) -> None:
        """Ends the interest; messages under way are still received."""
        if self.active:
            self._forget(self)


class Route:
    """Who hears one subject. `simple`: nothing to look after but `everybody`, plain subscribers and lone members of
    groups."""

    __slots__ = ("everybody", "groups", "plain", "simple", "streams")

    def __init__(
        self, plain: tuple[Interest, ...], groups: tuple[tuple[Interest, ...], ...], streams: tuple[MemoryStream, ...]
    ) -> None:
        self.plain = plain
        self.groups = groups
        self.streams = streams
        self.everybody = (*plain, *(group[0] for group in groups))
        self.simple = bool(self.everybody) and not streams and all(len(group) == 1 for group in groups)

    @property
    def heard(self) -> bool:
        """Whether anybody listens, or a stream takes it."""
        return bool(self.plain or self.groups or self.streams)

    @property
    def everyone(self) -> Iterator[Interest]:
        """All who listen, each member of each group among them."""
        yield from self.plain
        for group in self.groups:
            yield from group


class _Node:
    __slots__ = ("children", "here", "tail")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.here: dict[int, Interest] = {}
        self.tail: dict[int, Interest] = {}

    @property
    def empty(self) -> bool:
        return not (self.children or self.here or self.tail)


class Routes:
    """The interest of all connections. `cache` may be read by the hot path; only this class writes it."""

    __slots__ = ("_capacity", "_root", "_streams", "cache")

    def __init__(self, capacity: int = CACHED_ROUTES) -> None:
        self.cache: dict[str, Route] = {}
        self._capacity = capacity
        self._root = _Node()
        self._streams: Sequence[MemoryStream] = ()

    def add(self, interest: Interest) -> None:
        """Registers it; adding twice does nothing."""
        self.cache.clear()
        node, where = self._walk(interest.pattern)[-1], interest.pattern
        (node.tail if where.rpartition(".")[2] == ALL else node.here)[interest.number] = interest

    def remove(self, interest: Interest) -> None:
        """Forgets it, and the nodes of the trie that only it had."""
        self.cache.clear()
        path = self._walk(interest.pattern)
        path[-1].here.pop(interest.number, None)
        path[-1].tail.pop(interest.number, None)
        tokens = interest.pattern.split(".")
        for depth in range(len(path) - 1, 0, -1):
            if not path[depth].empty:
                return
            del path[depth - 1].children[tokens[depth - 1]]

    def clear(self) -> None:
        """Forgets all interest, but not the streams."""
        self.cache.clear()
        self._root = _Node()

    def set_streams(self, streams: Sequence[MemoryStream]) -> None:
        """Says which streams there are now."""
        self.cache.clear()
        self._streams = streams

    def find(self, subject: str) -> Route:
        """The route of a subject, from the cache or put there."""
        route = self.cache.get(subject)
        if route is None:
            if len(self.cache) >= self._capacity:
                self.cache.clear()
            route = self.cache[subject] = self._look_up(subject)
        return route

    def _walk(self, pattern: str) -> list[_Node]:
        path = [self._root]
        for token in pattern.split("."):
            if token == ALL:
                break
            path.append(path[-1].children.setdefault(token, _Node()))
        return path

    def _look_up(self, subject: str) -> Route:
        found = sorted(_collect(self._root, subject.split("."), 0), key=attrgetter("number"))
        groups: dict[str, list[Interest]] = {}
        for interest in found:
            if interest.queue:
                groups.setdefault(interest.queue, []).append(interest)
        return Route(
            tuple(interest for interest in found if not interest.queue),
            tuple(tuple(members) for members in groups.values()),
            tuple(s for s in self._streams if any(matches(pattern, subject) for pattern in s.spec.subjects)),
        )


def _collect(node: _Node, tokens: list[str], depth: int) -> Iterator[Interest]:
    if depth == len(tokens):
        yield from node.here.values()
        return
    yield from node.tail.values()
    for token in (tokens[depth], "*"):
        child = node.children.get(token)
        if child is not None:
            yield from _collect(child, tokens, depth + 1)
