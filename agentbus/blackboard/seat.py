"""A policy's place at its team's board: open while the policy shares what it knows, else it neither feeds nor reads."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Protocol

from ..agent import Agent
from ..errors import NotSharing, PayloadTooLarge
from .config import MAX_NAME_BYTES
from .crdt import MAX_WHOLE, Board, Value
from .machine import Gossip
from .model import Add, Put
from .watch import Watch


class Host(Protocol):
    """The board's side of a seat."""

    @property
    def machine(self) -> Gossip:
        """The protocol's state; its knobs are within what the broker takes. Raises `NotConnected`: not started."""
        ...

    def write(self, event: Put | Add) -> None:
        """Something that this node writes."""
        ...

    def follow(self, prefix: str, check: Callable[[], None]) -> Watch:
        """Tells of changes from now on."""
        ...


class Seat:
    """Where one behavior of an agent reads and writes. Whether it is open is asked at each call.

    Args:
        host: gives the board; it may be another instance later.
        agent: whose place it is.
        behavior: the method with the policy.

    Raises:
        AgentNotFound: no method of that name has a policy.
    """

    __slots__ = ("_agent", "_behavior", "_host")

    def __init__(self, host: Callable[[], Host], agent: Agent, behavior: str) -> None:
        agent.policy(behavior)  # raises when there is none; it is asked anew each time, since a restart gives it back
        self._host = host
        self._agent = agent
        self._behavior = behavior

    def __repr__(self) -> str:
        return f"<Seat of {self._whose}, {'open' if self.open else 'closed'}>"

    @property
    def open(self) -> bool:
        """Whether the policy shares what it knows with its team, now."""
        return self._agent.policy(self._behavior).shares

    # -- notes -----------------------------------------------------------------------------------------------------

    def put(self, key: str, value: Value) -> None:
        """Writes a note; the last one under a key stays.

        Args:
            key: any text, 256 bytes at most.
            value: bytes, text, a whole number of 64 bits, a finite float, or a truth value.

        Raises:
            NotSharing: the seat is closed.
            BoardFull: there is no room.
            PayloadTooLarge: the value is larger than `max_value_bytes`.
            ValueError, TypeError: a key or a value that can't be written.
            NotConnected: the board has not started.
        """
        host = self._here()
        host.write(Put(_name(key, "key"), _value(key, value, host.machine.config.max_value_bytes)))

    def get(self, key: str) -> Value | None:
        """What stands under a key, or None. Raises `NotSharing`, `NotConnected`."""
        return self._board().note(key)

    def delete(self, key: str) -> None:
        """Takes a note away; where there is none, nothing happens. Raises `NotSharing`, `NotConnected`."""
        self._here().write(Put(_name(key, "key"), None))

    def items(self, prefix: str = "") -> dict[str, Value]:
        """All notes whose keys begin so, by key. Raises `NotSharing`, `NotConnected`."""
        return self._board().notes(prefix)

    def watch(self, prefix: str = "") -> Watch:
        """Follows the notes whose keys begin so, from now on: see `Watch`. Raises `NotSharing`, `NotConnected`."""
        return self._here().follow(prefix, self._check)

    # -- counters --------------------------------------------------------------------------------------------------

    def add(self, counter: str, amount: int = 1) -> None:
        """Adds to a counter; a negative amount takes from it. Whole numbers only: a sum of floats would depend on the
        order.

        Raises:
            NotSharing, BoardFull, NotConnected: as `put`.
            ValueError, TypeError: a name or an amount that can't be counted.
        """
        host = self._here()
        if isinstance(amount, bool) or not isinstance(amount, int):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"blackboard: the counter {counter!r}: {amount!r} is no whole number")
        host.write(Add(_name(counter, "counter"), amount))

    def count(self, counter: str) -> int:
        """What all have added to a counter, as far as this node knows. Raises `NotSharing`, `NotConnected`."""
        return self._board().count(counter)

    def counts(self) -> dict[str, int]:
        """All counters, by name. Raises `NotSharing`, `NotConnected`."""
        return self._board().counts()

    # -- inside ----------------------------------------------------------------------------------------------------

    @property
    def _whose(self) -> str:
        return f"{type(self._agent).__name__}.{self._behavior}"

    def _board(self) -> Board:
        return self._here().machine.board

    def _here(self) -> Host:
        self._check()
        return self._host()

    def _check(self) -> None:
        if not self.open:
            word = self._agent.policy(self._behavior).word
            raise NotSharing(
                f"{self._whose} is {word} and does not share what it knows: it neither reads nor writes on its team's "
                "board; say shares=True in its decorator, or, where shares= is not said, set its weight below 0.5"
            )


def _name(text: str, what: str) -> str:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise ValueError(f"blackboard: the {what} {text!r} can't be written in UTF-8") from None
    if not 0 < size <= MAX_NAME_BYTES:
        raise ValueError(f"blackboard: the {what} {text[:40]!r} has {size} bytes: 1 to {MAX_NAME_BYTES} are allowed")
    return text


def _value(key: str, value: object, most: int) -> Value:
    match value:
        case bool():
            return value
        case int() if not -MAX_WHOLE <= value <= MAX_WHOLE:
            raise ValueError(f"blackboard: {key!r}: {value} has more than 64 bits: write it as text")
        case float() if not isfinite(value):
            raise ValueError(f"blackboard: {key!r}: {value} is no finite number")
        case int() | float():
            return value
        case str() | bytes():
            size = len(value.encode() if isinstance(value, str) else value)
            if size > most:
                raise PayloadTooLarge(
                    f"blackboard: {key!r}: {size} bytes, of at most {most}: put it into a Bucket of agentbus.storage, "
                    "and its key here"
                )
            return value
        case _:
            raise TypeError(
                f"blackboard: {key!r}: {type(value).__name__}: write bytes, text, a number or a truth value"
            )
