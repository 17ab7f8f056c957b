"""The knobs of a quorum, and their formulas."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictConfig:
    """How many must agree, and how long they may take.

    Attributes:
        faulty: f, how many nodes may lie at once. A verdict takes f + 1 witnesses, so one of them is honest; for
            f + 1 honest ones to be there whatever the others do it takes n >= 2 f + 1 nodes, the accused's included.
        max_false: accusations that f + 1 others have denied until their author is convicted.
        case_s: seconds until a case that is not decided ends. It may be opened again by a new accusation.
        memory_s: seconds for which a decided case, and a denied accusation, is remembered.
        again_s: seconds until a vote is published again when its case is undecided; each pause is half as long
            again as the one before, `slow_again_s` at most. With loss p, a vote is unheard after k times with p^k.
            A decided one's pauses double, so it is published about log2(memory_s / again_s) times more.
        slow_again_s: seconds.
        retry_s: seconds until a reproduction that found nothing out is tried again; it doubles with each.
        tries: times that one is tried.
        patience_s: seconds for which a node that has confirmed a case against a life looks at no other of the same
            kind against it, unless that comes before it in the order of the evidence, and opens none: votes that are
            spread over as many cases as there are accusers convict nobody, and cost each node a look at each.
        author_cases: open cases that one node may have begun. Those of f liars leave room for others' when
            max_cases > f * author_cases.
        max_cases: cases that are remembered.
        max_convicted: verdicts that are remembered; the oldest are forgotten.
    """

    faulty: int = 1
    max_false: int = 3
    case_s: float = 10.0
    memory_s: float = 60.0
    again_s: float = 0.2
    slow_again_s: float = 1.0
    retry_s: float = 0.25
    tries: int = 4
    patience_s: float = 2.0
    author_cases: int = 16
    max_cases: int = 1024
    max_convicted: int = 1024

    def __post_init__(self) -> None:
        times = (self.case_s, self.memory_s, self.again_s, self.slow_again_s, self.retry_s, self.patience_s)
        if min(times) <= 0:
            raise ConfigurationError(f"{self}: every ..._s is a number of seconds above 0")
        if self.faulty < 1:
            raise ConfigurationError(f"faulty={self.faulty}: at least 1, or one voice would decide")
        if min(self.max_false, self.tries, self.author_cases, self.max_convicted) < 1:
            raise ConfigurationError(f"{self}: max_false, tries, author_cases and max_convicted are at least 1")
        if self.max_cases <= self.faulty * self.author_cases:
            raise ConfigurationError(
                f"max_cases={self.max_cases}: more than faulty * author_cases = {self.faulty * self.author_cases}, or "
                "liars could keep all others from being heard"
            )

    @property
    def quorum(self) -> int:
        """Distinct witnesses that a verdict takes: f + 1."""
        return self.faulty + 1
