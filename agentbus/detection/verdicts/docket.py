"""The cases that a node knows of: opened within limits, and forgotten in time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf

from ...peers import PeerId
from .config import VerdictConfig
from .model import Case, Finding, Vote, Witness

MAX_FLOORS = 4096
"""Voters of whom it is remembered which of their votes belong to cases that are over."""


@dataclass(slots=True)
class Track:
    """What is known of one case. `confirmed` and `denied` are nodes in the order in which they were heard."""

    case: Case
    opened: float
    opener: str
    confirmed: dict[str, None] = field(default_factory=dict[str, None])
    denied: dict[str, None] = field(default_factory=dict[str, None])
    authors: dict[Witness, bool] = field(default_factory=dict[Witness, bool])  # whether it was counted against them
    numbers: dict[PeerId, int] = field(default_factory=dict[PeerId, int])
    mine: Finding | None = None
    accused_by_me: bool = False
    busy: bool = False  # a reproduction runs
    tries: int = 0
    decided: bool = False
    again_at: float = inf
    pause_s: float = 0.0
    said_at: float = -inf
    voted_at: float = -inf
    retry_at: float = inf

    def count(self, vote: Vote) -> bool:
        """Takes a vote in; whether it is new. Who says both counts on both sides: each needs an honest one beside."""
        known = self.numbers.get(vote.by.id, -1)
        self.numbers[vote.by.id] = max(known, vote.number)
        side = self.confirmed if vote.finding is Finding.CONFIRMED else self.denied
        new = vote.by.node not in side
        side[vote.by.node] = None
        if vote.accuses and vote.finding is Finding.CONFIRMED and vote.by not in self.authors:
            self.authors[vote.by] = False
            new = True
        return new


class Docket:
    """All cases, by what they are about.

    Args:
        config: the knobs.
    """

    def __init__(self, config: VerdictConfig) -> None:
        self._config = config
        self._tracks: dict[Case, Track] = {}
        self._floors: dict[PeerId, int] = {}

    def __len__(self) -> int:
        return len(self._tracks)

    def __iter__(self) -> Iterator[Track]:
        return iter(list(self._tracks.values()))

    def get(self, case: Case) -> Track | None:
        """The case, when it is known."""
        return self._tracks.get(case)

    def open(self, case: Case, opener: str, now: float) -> Track | None:
        """A new case; None when there is no room, or its opener has begun too many."""
        config = self._config
        begun = sum(track.opener == opener and not track.decided for track in self._tracks.values())
        if begun >= config.author_cases or len(self._tracks) >= config.max_cases:
            return None
        track = self._tracks[case] = Track(case, now, opener, pause_s=config.again_s)
        return track

    def is_over(self, vote: Vote) -> bool:
        """Whether it was heard before, in a case that has ended: a replay must not open it again."""
        return vote.number <= self._floors.get(vote.by.id, -1)

    def end(self, track: Track) -> float:
        """When a case ends."""
        return track.opened + (self._config.memory_s if track.decided else self._config.case_s)

    def expire(self, now: float) -> None:
        """Forgets the cases that are over."""
        for track in self:
            if self.end(track) <= now:
                del self._tracks[track.case]
                for voter, number in track.numbers.items():
                    self._floors[voter] = max(number, self._floors.pop(voter, -1))
        while len(self._floors) > MAX_FLOORS:
            del self._floors[next(iter(self._floors))]
