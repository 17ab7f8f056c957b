"""The agents `GroupKeeper`, one a group, and `GroupMember`, one on each node whose agents speak in it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import ClassVar, TypeVar

from google.protobuf.message import Message

from ...agent import Agent
from ...behaviors import every, on, on_start
from ...context import Context
from ...errors import ConfigurationError, DeadlineExceeded, NotConnected, Unauthorized
from ...subjects import check_name
from ...supervision import Supervision
from ..keys import KEY_BYTES, KeyPair, key_of, public_nkey
from .codec import GroupEpoch, GroupKeyRequest, Sealed
from .config import GroupConfig
from .groups import announced, context_of, handed, seal_for_group, taken, unseal_in_group
from .machine import GroupKeys, KeyRing
from .model import Asked, Effect, Hand, Learned, LeftOut, Members, Refusal, Tick

M = TypeVar("M", bound=Message)
NONCE_BYTES = 16
AT_ONCE = 16
"""Keys that are sealed in one turn of the event loop."""
RESUME = Supervision(on_failure="resume")


class GroupKeeper(Agent):
    """Keeps a group's key, and changes it whenever somebody joins or leaves.

    Args:
        group: its name.
        pair: the keeper's; members believe its word only.
        members: public NKEYs of who is in it at first.
        config: the knobs.

    Raises:
        ConfigurationError: a name or a key that is none, or too many members.
    """

    version = "1.0.0"
    supervision: ClassVar[Supervision] = RESUME

    def __init__(
        self, group: str, pair: KeyPair, members: Collection[str] = (), *, config: GroupConfig | None = None
    ) -> None:
        self.group = check_name(group, "group")
        self.config = config or GroupConfig()
        self._pair = pair
        self._wanted = self._checked(members)
        self._keys: GroupKeys | None = None
        self._ctx: Context | None = None

    async def set_members(self, members: Collection[str]) -> None:
        """Says who is in the group from now on, by public NKEYs. Anybody more or less means a new key.

        Raises:
            ConfigurationError: a key that is none, or too many members. Nothing has changed.
            NotConnected: the new key is made and could not be told; members who ask get it.
        """
        self._wanted = self._checked(members)
        if self._keys is not None and self._ctx is not None:
            await self._hand(self._keys.handle(Members(self._wanted), self._ctx.now()), self._ctx)

    @property
    def epoch(self) -> int | None:
        """The number of the epoch of this moment; None before it has started."""
        return self._keys.epoch.number if self._keys is not None and self._keys.epoch is not None else None

    @on_start
    async def begin(self, ctx: Context) -> None:
        """A new life begins with a new key."""
        self._ctx = ctx
        first = int(ctx.clock() * 1e6)
        self._keys = GroupKeys(self.group, first=first, new_key=lambda: os.urandom(KEY_BYTES), config=self.config)
        with suppress(NotConnected):  # members ask
            await self._hand(self._keys.handle(Members(self._wanted), ctx.now()), ctx)

    @on(GroupKeyRequest, mailbox=1024, overflow="drop_oldest")
    async def be_asked(self, request: GroupKeyRequest, ctx: Context) -> None:
        """Somebody asks for the key: who is a member gets it, everybody else is told who is."""
        if self._keys is None or request.group != self.group:
            return
        effects = self._keys.handle(Asked(request.member), ctx.now())
        if isinstance(effects[0], Refusal) and self._keys.epoch is not None:
            effects = [Hand(self._keys.epoch, frozenset())]
        await self._hand(effects, ctx, request.nonce)

    def _checked(self, members: Collection[str]) -> frozenset[bytes]:
        if isinstance(members, str):
            raise ConfigurationError("members: give a list of public NKEYs, not one text")
        keys = frozenset(key_of(member) for member in members)
        if len(keys) > self.config.members:
            allowed = f"{self.config.members} are allowed: GroupConfig(members=...)"
            raise ConfigurationError(f"group {self.group!r}: {len(keys)} members, {allowed}")
        return keys

    async def _hand(self, effects: Sequence[Effect], ctx: Context, nonce: bytes = b"") -> None:
        for effect in effects:
            if isinstance(effect, Hand):
                context, keys = context_of(effect.epoch, self._pair, nonce), list[Sealed]()
                for member in sorted(effect.to):
                    keys.append(handed(effect.epoch, self._pair, member, context))
                    if not len(keys) % AT_ONCE:
                        await asyncio.sleep(0)  # others have their turn
                told = announced(effect.epoch, self._pair, keys, nonce)
                await (self._ctx or ctx).publish(told, topic=self.group)


class GroupMember(Agent):
    """Has a group's key, as long as its keeper says so, and seals and unseals with it.

    Args:
        group: its name.
        pair: the member's own.
        keeper: the public NKEY of the group's keeper.
        config: the knobs; all of a group should have the same.
    """

    version = "1.0.0"
    supervision: ClassVar[Supervision] = RESUME

    def __init__(self, group: str, pair: KeyPair, keeper: str, *, config: GroupConfig | None = None) -> None:
        self.group = check_name(group, "group")
        self.config = config or GroupConfig()
        self._pair = pair
        self._keeper = key_of(keeper)
        self._ring = KeyRing(group, self.config)
        self._ctx: Context | None = None
        self._asked_s = float("-inf")
        self._nonce = os.urandom(NONCE_BYTES)
        self._wanting = False
        self._news = asyncio.Event()

    # -- what this node's other agents call ------------------------------------------------------------------------

    def seal(self, message: Message, *, context: str = "") -> Sealed:
        """The message, for the eyes of the group's members of this moment.

        Raises:
            Unauthorized: no key: not a member, or not told yet (`ready`).
        """
        epoch = self._ring.current
        if epoch is None:
            why = "left out of it" if self._ring.out else "not told its key yet: await ready()"
            raise Unauthorized(f"{self._pair.public} can't seal for group {self.group!r}: {why}")
        return seal_for_group(message, epoch=epoch, sender=self._pair, context=context)

    def unseal(self, sealed: Sealed, kind: type[M], *, context: str = "") -> M:
        """The message that a member has sealed. ``sealed.sender`` is proven by that.

        Raises:
            Unauthorized: it is not of this group, of an epoch that is over or not known, not by a member, of another
                type or context, or altered. An epoch that is newer than what is known is asked for: try again.
            SchemaMismatch: its sender has sealed bytes that are none of the type.
        """
        if sealed.group != self.group:
            raise Unauthorized(f"a {sealed.type} that is not sealed for group {self.group!r}")
        epoch = self._ring.get(sealed.epoch, self._now())
        if epoch is None:
            current = self._ring.current
            self._wanting = current is None or sealed.epoch > current.number
            when = "not known yet" if self._wanting else "over"
            raise Unauthorized(f"a {sealed.type} for group {self.group!r}: its epoch {sealed.epoch} is {when}")
        return unseal_in_group(sealed, kind, epoch, context=context)

    async def ready(self, *, timeout_s: float = 5.0) -> int:
        """Waits until there is a key; returns the number of its epoch. Raises `DeadlineExceeded`."""
        try:
            async with asyncio.timeout(timeout_s):
                while self._ring.current is None:
                    self._news.clear()
                    await self._news.wait()
                return self._ring.current.number
        except TimeoutError:
            text = f"{self._pair.public} was given no key of group {self.group!r} within {timeout_s:g} s"
            raise DeadlineExceeded(text) from None

    # -- behaviors -------------------------------------------------------------------------------------------------

    @on_start
    async def begin(self, ctx: Context) -> None:
        """From now on the keeper is heard."""
        self._ctx = ctx
        self._wanting = True

    @every(0.1, immediately=True)
    async def look(self, ctx: Context) -> None:
        """Asks for a key that is missing; forgets what is over."""
        self._ring.handle(Tick(), ctx.now())
        if self._wanting and ctx.now() - self._asked_s >= self.config.ask_s:
            self._asked_s = ctx.now()
            request = GroupKeyRequest(group=self.group, member=self._pair.key, nonce=self._nonce)
            with suppress(NotConnected):  # the next time
                await ctx.publish(request, topic=self.group)

    @on(GroupEpoch, mailbox=64, overflow="drop_oldest")
    async def hear(self, told: GroupEpoch, ctx: Context) -> None:
        """An epoch has begun, or was asked for. Raises `Unauthorized` for what is not the keeper's."""
        if told.group != self.group:
            return
        epoch = taken(told, self._keeper, self._pair, self.config.members)
        if not self._ring.begun and told.nonce != self._nonce:
            self._wanting = True  # it may be told again, from long ago: the first word has to be an answer
        elif epoch is not None:
            for refusal in self._ring.handle(Learned(epoch), ctx.now()):
                ctx.log.warning("a group's key does not count", group=self.group, why=refusal.text)
            self._wanting = False
            self._news.set()
        elif self._pair.key not in told.members:
            self._ring.handle(LeftOut(told.epoch), ctx.now())
            self._wanting = self._ring.current is None and not self._ring.out
        elif self._ring.current is None or told.epoch > self._ring.current.number:
            self._wanting = True  # handed to another; this one was missed

    def _now(self) -> float:
        if self._ctx is None:
            raise Unauthorized(
                f"{public_nkey(self._pair.key)}: the agent that knows group {self.group!r} has not started"
            )
        return self._ctx.now()
