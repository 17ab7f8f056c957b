"""The observer: an agent that hears what all others tell, and takes no part."""

from __future__ import annotations

from agentbus import Agent, Context, on
from agentbus.faults import (
    PEER_EVENT_KIND_FAILED,
    PEER_EVENT_KIND_JOINED,
    PEER_EVENT_KIND_LEFT,
    PEER_EVENT_KIND_REJOINED,
    PEER_EVENT_KIND_SUSPECTED,
    Fault,
    PeerEvent,
)
from agentbus.healing.codec import HealingAction

from .recorder import Recorder
from .timeline import What

BELIEFS = {
    PEER_EVENT_KIND_SUSPECTED: What.SUSPECTED,
    PEER_EVENT_KIND_FAILED: What.FAILED,
    PEER_EVENT_KIND_JOINED: What.JOINED,
    PEER_EVENT_KIND_REJOINED: What.JOINED,
    PEER_EVENT_KIND_LEFT: What.LEFT,
}


class Observer(Agent):
    """Notes what each node comes to believe. Each tells it to the topic of its own name; here they are all heard.

    Args:
        recorder: where it is noted.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.epochs: dict[str, int] = {}  # the newest life of each node

    @on(PeerEvent)
    async def belief(self, event: PeerEvent, ctx: Context) -> None:
        """A node believes something of another."""
        self.epochs[event.node] = max(event.epoch, self.epochs.get(event.node, 0))
        what = BELIEFS.get(event.kind)
        if what is not None and event.node != ctx.topic:
            self.recorder.add(what, who=ctx.topic, about=event.node, text=event.reason)

    @on(Fault)
    async def verdict(self, fault: Fault, ctx: Context) -> None:
        """A node knows of a verdict. That a node has failed is a belief, and heard as such."""
        if fault.kind != "failed":
            what = What.CLEARED if fault.recovered else What.CONVICTED
            self.recorder.add(what, who=ctx.topic, about=fault.node, text=fault.kind)

    @on(HealingAction)
    async def healing(self, action: HealingAction, ctx: Context) -> None:
        """A node has done something about a fault, or seen that it need not. That it refuses what a life had done that
        is over, a newcomer say, is no news."""
        if action.action != "none" and action.epoch >= self.epochs.get(action.node, 0):
            text = f"{action.action} ({action.outcome})" if action.outcome else action.action
            self.recorder.add(What.ACTED, who=action.by, about=action.node, text=text)
