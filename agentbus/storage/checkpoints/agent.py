"""Agents whose state survives them: restored before their first message, saved now and then and when they stop.

A state belongs to an agent's name in its realm: whoever starts an agent of that name, on whatever node, goes on from
its newest checkpoint, and saves that again at once. So of two that run at the same time the one that started last may
save; the other goes on without being kept: each of its saves fails with `Conflict`, which is counted and logged.
"""

from __future__ import annotations

from typing import ClassVar, Protocol, runtime_checkable

from google.protobuf.message import Message

from ...agent import Agent
from ...behaviors import every, on_start, on_stop
from ...context import Context
from ...errors import Conflict, NotConnected, StorageFailed
from ..bucket import Bucket
from .checkpoints import Checkpoints

TICK_S = 1.0
"""Seconds between two looks at whether it is time to save."""


@runtime_checkable
class Checkpointed(Protocol):
    """What can be checkpointed: says its state, and takes it back."""

    def snapshot(self) -> bytes | Message:
        """The state: bytes, or a protobuf message. Must not change anything."""
        ...

    def restore(self, state: bytes) -> None:
        """Takes a state that `snapshot` gave, serialized if it was a message, in another life."""
        ...


class CheckpointedAgent(Agent):
    """An agent with `snapshot` and `restore`, whose state is kept for it.

    Attributes:
        checkpoint_bucket: the bucket's name; one for all agents of a realm unless told otherwise.
        checkpoint_every_s: seconds between two saves, at least 1; a state that did not change is not saved again.
        checkpoint_version: to be raised when `restore` does not understand the older states any more.
        checkpoint_replicas: copies of the bucket in a cluster.
        checkpoint_bucket_bytes: what the bucket may hold: two of the largest states of each agent.
    """

    checkpoint_bucket: ClassVar[str] = "checkpoints"
    checkpoint_every_s: ClassVar[float] = 5.0
    checkpoint_version: ClassVar[int] = 1
    checkpoint_replicas: ClassVar[int] = 1
    checkpoint_bucket_bytes: ClassVar[int] = 256 << 20

    __checkpoints: Checkpoints | None = None
    __saved: bytes | None = None
    __saved_at: float = 0.0

    def snapshot(self) -> bytes | Message:
        """See `Checkpointed.snapshot`."""
        raise NotImplementedError(f"{type(self).__name__} is a CheckpointedAgent: write snapshot and restore")

    def restore(self, state: bytes) -> None:
        """See `Checkpointed.restore`."""
        raise NotImplementedError(f"{type(self).__name__} is a CheckpointedAgent: write snapshot and restore")

    @on_start
    async def restore_checkpoint(self, ctx: Context) -> None:
        """Restores the newest checkpoint, if there is one. Raises `CheckpointInvalid`, `StorageFailed`."""
        bucket = await Bucket.open(
            ctx.transport,
            self.checkpoint_bucket,
            realm=ctx.realm,
            replicas=self.checkpoint_replicas,
            max_bytes=self.checkpoint_bucket_bytes,
        )
        self.__checkpoints = Checkpoints(bucket, version=self.checkpoint_version)
        self.__saved_at = ctx.now()
        found = await self.__checkpoints.claim(ctx.me)
        if found is not None:
            self.restore(found.state)
            self.__saved = found.state
            ctx.log.info("checkpoint restored", number=found.number, size=len(found.state))

    @every(TICK_S)
    async def save_when_due(self, ctx: Context) -> None:
        """Saves if it is time to. A store that is away is tried again at the next tick."""
        if ctx.now() - self.__saved_at < self.checkpoint_every_s:
            return
        try:
            await self.save_checkpoint(ctx)
        except Conflict:
            raise
        except (StorageFailed, NotConnected) as error:
            ctx.log.warning("checkpoint not saved", error=str(error))

    @on_stop
    async def save_at_the_end(self, ctx: Context) -> None:
        """Saves for the last time. Raises as `save_checkpoint`."""
        await self.save_checkpoint(ctx)

    async def save_checkpoint(self, ctx: Context) -> None:
        """Saves now, if the state is another than what was saved last.

        Raises:
            Conflict: a later life of this agent has saved.
            StorageFailed: not acknowledged in time.
        """
        taken = self.snapshot()
        state = taken if isinstance(taken, bytes) else taken.SerializeToString(deterministic=True)
        if self.__checkpoints is not None and state != self.__saved:
            await self.__checkpoints.save(ctx.me, state)
            self.__saved = state
        self.__saved_at = ctx.now()
