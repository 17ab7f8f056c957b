"""What a load test is asked to do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Pattern = Literal["publish", "request", "durable"]
PATTERNS: tuple[Pattern, ...] = ("publish", "request", "durable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A load test.

    Attributes:
        url: the broker, as `agentbus.Node` takes it. With ``memory://`` all is in one process.
        realm: of the test alone.
        pattern: events to `@on`, requests to `@rpc`, or durable events to ``@on(durable=...)``; each to one agent.
        agents: how many hear, in turn.
        rate: messages a second of all generators together; 0 for as many as will go.
        payload: bytes of a message, protobuf's share included.
        processes: of generators; as many again host the agents.
        duration_s: seconds of sending.
        in_flight: requests or durable events that one generator has under way at most.
        generator_work_s: seconds of processor time that each message costs the generator beyond sending it: shows what
            a generator that is too slow looks like.
        stall_at_s, stall_s: when, and for how long, the agents' processes stand still: shows what a stall does to the
            percentiles.
    """

    url: str = "embedded://"
    realm: str = "load"
    pattern: Pattern = "publish"
    agents: int = 8
    rate: float = 1000.0
    payload: int = 128
    processes: int = 1
    duration_s: float = 10.0
    in_flight: int = 1024
    generator_work_s: float = 0.0
    stall_at_s: float = 0.0
    stall_s: float = 0.0

    @property
    def together(self) -> bool:
        """Whether generator and agents must share a process."""
        return self.url.startswith("memory:")

    def options(self) -> dict[str, Any]:
        """For a child."""
        return asdict(self)

    def check(self) -> None:
        """Raises ValueError, saying what to write, when the settings can't work."""
        if self.pattern not in PATTERNS:
            raise ValueError(f"pattern {self.pattern!r}: one of {', '.join(PATTERNS)}")
        for name in ("agents", "processes", "in_flight"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: at least 1")
        for name in ("rate", "payload", "generator_work_s", "stall_at_s", "stall_s"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}: not below 0")
        if self.duration_s <= 0:
            raise ValueError(f"duration is {self.duration_s}: more than 0 seconds")
        if self.together and self.processes != 1:
            raise ValueError("memory:// is one process: use --processes 1, or another url")


def agent_name(place: int) -> str:
    """The name, and the topic, of an agent."""
    return f"target-{place}"
