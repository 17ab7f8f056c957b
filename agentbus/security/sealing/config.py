"""The knobs of groups."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupConfig:
    """How groups of keys behave.

    Attributes:
        keep_s: how long a key that was replaced still opens what was under way.
        kept: of replaced keys, so many at most.
        members: of one group, at most.
        ask_s: seconds after which a member without a key asks for it again.
    """

    keep_s: float = 30.0
    kept: int = 8
    members: int = 1024
    ask_s: float = 1.0

    def __post_init__(self) -> None:
        for name in ("keep_s", "ask_s"):
            value = getattr(self, name)
            if not 0 < value < float("inf"):
                raise ConfigurationError(f"sealing: {name}={value!r}: use a number of seconds above 0")
        for name in ("kept", "members"):
            value = getattr(self, name)
            if value < 1:
                raise ConfigurationError(f"sealing: {name}={value!r}: use a whole number from 1")
