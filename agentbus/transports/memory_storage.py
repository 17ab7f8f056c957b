"""The durable side of the in-memory broker: its streams and consumers. They survive `stop_broker`.

Pure: time is an argument. Invariants: no two streams share a subject; a consumer's name belongs to one stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..errors import StorageFailed
from ..subjects import check_name, check_subject
from ..transport import ConsumerSpec, Job, StreamSpec
from .memory_consumer import Delivery, MemoryConsumer, Pull
from .memory_link import Link
from .memory_stream import MemoryStream, overlap


class Storage:
    """All streams and consumers, in the order of their making."""

    def __init__(self) -> None:
        self._streams: dict[str, MemoryStream] = {}
        self._consumers: dict[tuple[str, str], MemoryConsumer] = {}

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

    def due(self, now: float, reachable: Callable[[Link], bool]) -> Iterator[Delivery]:
        """What is to be delivered now, of all consumers."""
        for consumer in self._consumers.values():
            consumer.expire(now)
            yield from consumer.dispatch(now, reachable)

    def next_deadline(self) -> float | None:
        """Loop time at which `due` has more, or None."""
        deadlines = (consumer.next_deadline() for consumer in self._consumers.values())
        return min((deadline for deadline in deadlines if deadline is not None), default=None)
