"""Who on this node hears what: subscriptions that several behaviors share.

A plain subject is subscribed to once a node, however many agents listen, and what comes is handed to each. A
queue subject is subscribed to once an agent, since the broker weighs by subscription; a frame that coalesced several
messages reaches one member whole, and is shared here among the group's members on this node.
"""

from __future__ import annotations

from collections.abc import Callable

from .bus import Bus
from .inbound import Inbound, Listener
from .mailbox import part
from .transport import Subscription

Cancel = Callable[[], None]
"""Ends what was begun; a second call does nothing."""


class Routes:
    """The shared subscriptions of one node.

    Args:
        bus: the node's.
        on_coalesced: told that a queue group got several messages in one frame: the subject and how many.
    """

    def __init__(self, bus: Bus, on_coalesced: Callable[[str, int], None]) -> None:
        self._bus = bus
        self._on_coalesced = on_coalesced
        self._plain: dict[str, tuple[dict[Listener, None], Subscription]] = {}
        self._groups: dict[tuple[str, str], dict[Listener, None]] = {}

    def plain(self, subject: str, type_name: str, listener: Listener) -> Cancel:
        """Hears a subject together with others of this node."""
        entry = self._plain.get(subject)
        if entry is None:
            listeners: dict[Listener, None] = {}

            def hand_out(inbound: Inbound) -> None:
                for hear in tuple(listeners):
                    hear(inbound)

            entry = self._plain[subject] = (listeners, self._bus.listen(subject, hand_out, type_name))
        listeners, subscription = entry
        listeners[listener] = None

        def cancel() -> None:
            if listener not in listeners or self._plain.get(subject) is not entry:
                return
            if len(listeners) > 1:
                del listeners[listener]
            else:  # the last one stays in, for what the broker has sent by now
                del self._plain[subject]
                subscription.drain()

        return cancel

    def queue(self, subject: str, type_name: str, queue: str, listener: Listener) -> Cancel:
        """Hears a subject as a member of a queue group."""
        members = self._groups.setdefault((subject, queue), {})
        members[listener] = None

        def share(inbound: Inbound) -> None:
            count = len(inbound.frame.payloads)
            if count == 1:
                listener(inbound)
                return
            self._on_coalesced(subject, count)
            sharers = (list(members) or [listener])[:count]  # what was under way when the last member left is its own
            for place, member in enumerate(sharers):
                start, stop = place * count // len(sharers), (place + 1) * count // len(sharers)
                member(part(inbound, range(start, stop)))

        subscription = self._bus.listen(subject, share, type_name, queue)

        def cancel() -> None:
            subscription.drain()
            members.pop(listener, None)
            if not members:
                self._groups.pop((subject, queue), None)

        return cancel
