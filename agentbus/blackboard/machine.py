"""Gossip of one board: whom to tell what is new, and how two boards find out in what they differ. Pure.

Rumours and anti-entropy (A. Demers et al., "Epidemic algorithms for replicated database maintenance", PODC 1987). In
each round a node tells deltas that are new to a few random others, each of which passes on what was new to it; and it
compares the root with one of them. Where roots differ, the other answers with its buckets' sums, hears the fingerprints
of all that is in the buckets that differ, and then both send what the other lacks. Nothing is remembered of anybody,
so whatever is lost, repeated, late or restarted is made good by the next comparison.

Invariants: an item that was taken in is never replaced by one that was written before it; no message is larger
than `message_bytes`, and none has more than `burst` in answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from ..errors import BoardFull
from .clock import HybridClock
from .config import BlackboardConfig
from .crdt import BUCKETS, MAX_WHOLE, Board, Id, Item, Note, Tally
from .model import Add, Changed, Effect, Event, Packet, PacketKind, Peers, Put, Send

if TYPE_CHECKING:
    from random import Random

SLACK = 2
"""Times the limits that what others write may take."""
SWEEPS = 100
"""Looks for deletions to be forgotten, in `forget_s`."""
PRINT_BYTES = 8
"""Of a fingerprint on the wire."""


class Gossip:
    """One node's side.

    Args:
        node: the node's name.
        life: grows with each start of it.
        config: the knobs.
        rng: chance.
        now: seconds, of a clock that only goes forward.

    Attributes:
        board: what stands on it.
        actor: whom this life of the node writes as: a later one does not know what it has counted.
        refused_ahead: notes that came from a clock too far ahead.
        refused_full: items that there was no room for.
    """

    def __init__(self, node: str, life: int, config: BlackboardConfig, rng: Random, now: float) -> None:
        self.node = node
        self.life = life
        self.config = config
        self.board = Board()
        self.actor = f"{node}@{life:x}"
        self.refused_ahead = 0
        self.refused_full = 0
        self._packet = partial(Packet, source=node, life=life)
        self._rng = rng
        self._clock = HybridClock(self.actor, config.max_ahead_s)
        self._others: tuple[str, ...] = ()
        self._news: dict[Id, int] = {}  # what is told in so many rounds more
        self._at = now + rng.random() * config.period_s
        self._sweep_at = now + config.forget_s / SWEEPS

    @property
    def others(self) -> int:
        """Other nodes of the team that are believed alive."""
        return len(self._others)

    # -- what the driver calls -------------------------------------------------------------------------------------

    def next_deadline(self) -> float:
        """When `tick` is to be called."""
        return self._at

    def tick(self, now: float, wall: float) -> list[Effect]:
        """One round, if it is due. Rounds that were missed are not made up for.

        Args:
            now: seconds, of a clock that only goes forward.
            wall: seconds since 1970; it may go back.
        """
        if now < self._at:
            return []
        period_s = self.config.period_s
        self._at = max(self._at + period_s, now + 0.5 * period_s)
        if now >= self._sweep_at:
            self._sweep_at = now + self.config.forget_s / SWEEPS
            self._forget(wall)
        return list(self._beat())

    def handle(self, event: Event, now: float, wall: float) -> list[Effect]:
        """One event.

        Raises:
            BoardFull: this node would write more than the board may hold.
            ValueError: a counter beyond 64 bits.
        """
        del now  # nothing here depends on it
        match event:
            case Packet():
                return list(self._hear(event, wall))
            case Peers():
                self._others = tuple(node for node in event.nodes if node != self.node)
                return []
            case Put():
                return self._put(event, wall)
            case Add():
                return self._add(event)

    # -- writing ---------------------------------------------------------------------------------------------------

    def _put(self, put: Put, wall: float) -> list[Effect]:
        if put.value is None and self.board.note(put.key) is None:
            return []
        self._write(Note(put.key, self._clock.next(wall), put.value))
        return [Changed(put.key)]

    def _add(self, add: Add) -> list[Effect]:
        mine = self.board.get(Id(add.counter, self.actor))
        plus, minus = (mine.plus, mine.minus) if isinstance(mine, Tally) else (0, 0)
        if add.amount >= 0:
            plus += add.amount
        else:
            minus -= add.amount
        if max(plus, minus) > MAX_WHOLE:
            raise ValueError(f"blackboard: the counter {add.counter!r} goes beyond 64 bits")
        if add.amount:
            self._write(Tally(add.counter, self.actor, plus, minus))
        return []

    def _write(self, item: Item) -> None:
        deletes = isinstance(item, Note) and item.value is None
        if not deletes and not self._has_room(item, 1):
            raise BoardFull(
                f"the board holds {len(self.board)} entries and {self.board.weight} bytes, of at most "
                f"{self.config.max_entries} and {self.config.max_bytes}: delete some, which makes room after "
                f"{self.config.forget_s:g} s, or raise max_entries= and max_bytes= on all nodes"
            )
        self.board.merge(item)
        self._tell(item.id)

    def _has_room(self, item: Item, times: int) -> bool:
        known = self.board.get(item.id)
        grows = item.weight - (known.weight if known else 0)
        fits = known is not None or len(self.board) < self.config.max_entries * times
        return fits and (grows <= 0 or self.board.weight + grows <= self.config.max_bytes * times)

    # -- gossip ----------------------------------------------------------------------------------------------------

    def _beat(self) -> Iterator[Effect]:
        if not self._others:
            self._news.clear()  # whoever comes finds it by comparing
            return
        told = self._rng.sample(self._others, min(self.config.fanout, len(self._others)))
        news = next(self._chunks(self._take_news()), list[Item]())
        for which in (item.id for item in news):
            self._told(which)
        root: int | None = self.board.root
        for to in told:
            if news or root is not None:
                yield Send(to, self._packet(kind=PacketKind.BEAT, items=news, root=root))
            root = None

    def _take_news(self) -> Iterator[Item]:
        for which in list(self._news):
            item = self.board.get(which)
            if item is None:
                del self._news[which]
            else:
                yield item

    def _hear(self, packet: Packet, wall: float) -> Iterator[Effect]:
        for item in packet.items:
            changed = self._take(item, wall)
            if changed and isinstance(item, Note):
                yield Changed(item.key)
            if packet.kind is PacketKind.BEAT:
                if changed:
                    self._tell(item.id)
                elif self._stands(item):
                    self._told(item.id)
        match packet.kind:
            case PacketKind.BEAT if packet.root is not None and packet.root != self.board.root:
                yield Send(packet.source, self._packet(kind=PacketKind.BUCKETS, sums=tuple(self.board.sums)))
            case PacketKind.BUCKETS:
                yield from self._open(packet)
            case PacketKind.HAVE:
                yield from self._reconcile(packet)
            case PacketKind.ITEMS:
                items = (item for print_ in packet.want if (item := self.board.found(print_)) is not None)
                yield from self._answer(packet.source, items, [])
            case _:
                pass

    def _open(self, packet: Packet) -> Iterator[Effect]:
        """Tells what is in the buckets that differ, as many as one message holds; which come first, chance says."""
        board = self.board
        differ = [number for number in range(BUCKETS) if packet.sums[number] != board.sums[number]]
        self._rng.shuffle(differ)
        most = self.config.message_bytes // PRINT_BYTES
        opened: list[int] = []
        have: list[int] = []
        for number in differ:
            if opened and len(have) + len(board.bucket(number)) > most:
                break
            opened.append(number)
            have += board.bucket(number)
        if opened:
            yield Send(packet.source, self._packet(kind=PacketKind.HAVE, opened=opened, have=have[:most]))

    def _reconcile(self, packet: Packet) -> Iterator[Effect]:
        """Sends what the other lacks of the buckets that it has opened, and asks for what is lacking here."""
        theirs = set(packet.have)
        mine = {print_: which for number in packet.opened for print_, which in self.board.bucket(number).items()}
        lacking = [which for print_, which in mine.items() if print_ not in theirs]
        self._rng.shuffle(lacking)
        want = [print_ for print_ in packet.have if print_ not in mine]
        items = (item for which in lacking if (item := self.board.get(which)) is not None)
        yield from self._answer(packet.source, items, want)

    def _answer(self, to: str, items: Iterable[Item], want: list[int]) -> Iterator[Effect]:
        """Items in as few messages as they take, `burst` at most; then what is wanted: those that the items replace
        are no longer there to be sent."""
        for chunk, _ in zip(self._chunks(items), range(self.config.burst), strict=False):
            yield Send(to, self._packet(kind=PacketKind.ITEMS, items=chunk))
        if want:
            yield Send(to, self._packet(kind=PacketKind.ITEMS, want=want))

    def _chunks(self, items: Iterable[Item]) -> Iterator[list[Item]]:
        chunk: list[Item] = []
        weight = 0
        for item in items:
            if chunk and weight + item.weight > self.config.message_bytes:
                yield chunk
                chunk, weight = [], 0
            chunk.append(item)
            weight += item.weight
        if chunk:
            yield chunk

    # -- taking in -------------------------------------------------------------------------------------------------

    def _take(self, item: Item, wall: float) -> bool:
        """Merges what another has sent, unless it is not to be. Returns whether anything has changed."""
        board = self.board
        if isinstance(item, Note):
            if not self._clock.credible(item.stamp, wall):
                self.refused_ahead += 1
                return False
            self._clock.hear(item.stamp)
            if self._forgettable(item, wall) and board.note(item.key) is None:
                return False  # it deletes nothing here, and would come back for ever
        joined = board.joined(item)
        if joined.weight > self.config.message_bytes or not self._has_room(joined, SLACK):
            self.refused_full += 1
            return False
        return board.merge(item)

    def _forget(self, wall: float) -> None:
        for which in [which for which, note in self.board.deleted.items() if self._forgettable(note, wall)]:
            self.board.discard(which)

    def _forgettable(self, note: Note, wall: float) -> bool:
        return note.value is None and note.stamp.wall_ms < (wall - self.config.forget_s) * 1000.0

    # -- news ------------------------------------------------------------------------------------------------------

    def _tell(self, which: Id) -> None:
        self._news.pop(which, None)  # the newest last
        self._news[which] = self.config.rounds(len(self._others) + 1)

    def _stands(self, item: Item) -> bool:
        """Whether the item is here as it was heard: a sender that is behind has not heard the news."""
        mine = self.board.get(item.id)
        return mine is not None and mine.spelled == item.spelled

    def _told(self, which: Id) -> None:
        left = self._news.pop(which, 0) - 1
        if left > 0:
            self._news[which] = left  # the others are next in turn
