"""The durable side of the in-memory broker: its streams and consumers. They survive `stop_broker`.

Pure: time is an argument. Invariants: no two streams share a subject; a consumer's name belongs to one stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from ..errors import StorageFailed
from ..subjects import check_name, check_subject
from ..transport import ConsumerSpec, Job, StoredMessage, StreamSpec
from .memory_consumer import Delivery, MemoryConsumer, Pull
from .memory_follower import Following, Told, message_of
from .memory_link import Link
from .memory_stream import MemoryStream, overlap


class Storage:
    """All streams and consumers, in the order of their making."""

    def __init__(self) -> None:
        self._streams: dict[str, MemoryStream] = {}
        self._consumers: dict[tuple[str, str], MemoryConsumer] = {}
        self._followings: dict[Following, None] = {}

    @property
    def streams(self) -> tuple[MemoryStream, ...]:
        return tuple(self._streams.values())

    def ensure_stream(self, spec: StreamSpec, now: float) -> None:
        """Makes or changes a stream. Raises `StorageFailed` when another has one of its subjects."""
        for other in self._streams.values():
            if other.spec.name == spec.name:
                continue
            for mine in spec.subjects:
                for its in other.spec.subjects:
                    if overlap(mine, its):
                        raise StorageFailed(f"stream {spec.name}: {mine} overlaps {its} of stream {other.spec.name}")
        stream = self._streams.get(spec.name)
        if stream is None:
            self._streams[spec.name] = MemoryStream(spec)
        else:
            stream.change(spec, now)

    def last(self, stream: str, subject: str, now: float) -> StoredMessage | None:
        """See `Transport.last`; this and the next raise `StorageFailed` when there is no such stream."""
        return message_of(self._stream(stream, now).last(subject))

    def after(self, stream: str, subject: str, sequence: int, now: float) -> StoredMessage | None:
        """See `Transport.after`."""
        return message_of(self._stream(stream, now).after(subject, sequence))

    def subjects(self, stream: str, pattern: str, now: float) -> Mapping[str, int]:
        """See `Transport.subjects`."""
        return self._stream(stream, now).subjects(pattern)

    def purge(self, stream: str, subject: str, before: int | None, now: float) -> int:
        """See `Transport.purge`."""
        return self._stream(stream, now).purge(subject, before)

    def follow(
        self,
        stream: str,
        filters: Sequence[str],
        link: Link,
        receiver: Callable[[StoredMessage], None],
        after: int | None,
    ) -> Following:
        """Begins to tell what a stream keeps. Raises `StorageFailed`."""
        for pattern in filters:
            check_subject(pattern, pattern=True)
        found = self._streams.get(stream)
        if found is None:
            raise StorageFailed(f"there is no stream {stream} to follow; call ensure_stream first")
        following = Following(link, found, tuple(filters), receiver, after, self._followings)
        self._followings[following] = None
        return following

    def told(self, now: float, reachable: Callable[[Link], bool]) -> Iterator[Told]:
        """What followers are to be told now."""
        for following in list(self._followings):
            if reachable(following.link):
                yield from following.dispatch(now)
            else:
                following.wait(now)

    def attach(self, spec: ConsumerSpec, link: Link, receiver: Callable[[Job], None]) -> Pull:
        """Begins a consumption. Raises `StorageFailed`, naming stream or consumer."""
        check_name(spec.name, "consumer")
        for pattern in spec.filters:
            check_subject(pattern, pattern=True)
        stream = self._streams.get(spec.stream)
        if stream is None:
            raise StorageFailed(f"consumer {spec.name}: there is no stream {spec.stream}; call ensure_stream first")
        consumer = self._consumers.get((spec.stream, spec.name))
        if consumer is None:
            consumer = self._consumers[spec.stream, spec.name] = MemoryConsumer(spec, stream)
        elif sorted(consumer.spec.filters) != sorted(spec.filters):
            raise StorageFailed(
                f"consumer {spec.name} of stream {spec.stream} has other filters, {', '.join(consumer.spec.filters)}: "
                "use them, or another name"
            )
        consumer.spec = spec
        pull = Pull(link, spec.max_in_flight, receiver, consumer)
        consumer.pulls.append(pull)
        return pull

    def detach(self, link: Link) -> None:
        """Ends all consumptions of a connection; what it leaves unsettled is due again after its ack_wait."""
        for consumer in self._consumers.values():
            for pull in [pull for pull in consumer.pulls if pull.link is link]:
                pull.stop()
        for following in [following for following in self._followings if following.link is link]:
            following.stop()

    def due(self, now: float, reachable: Callable[[Link], bool]) -> Iterator[Delivery]:
        """What is to be delivered now, of all consumers."""
        for consumer in self._consumers.values():
            consumer.expire(now)
            yield from consumer.dispatch(now, reachable)

    def next_deadline(self) -> float | None:
        """Loop time at which `due` has more, or None."""
        deadlines = [consumer.next_deadline() for consumer in self._consumers.values()]
        deadlines += [following.deadline for following in self._followings]
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def _stream(self, name: str, now: float) -> MemoryStream:
        stream = self._streams.get(name)
        if stream is None:
            raise StorageFailed(f"there is no stream {name}; call ensure_stream first")
        stream.prune(now)
        return stream
