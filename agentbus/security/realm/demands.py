"""What a realm's enroller demands of newcomers: ``admission.json`` in the enroller's folder.

::

    {"admit": ["join-key", "quorum:2", "puzzle:20"], "quota": "5/86400:no-vote", "probation_s": 3600}

All of `admit` is demanded. `agentbus realm init` writes it, and a person may: it is read when the enroller starts.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from ...errors import ConfigurationError
from ..credentials import read_secret, write_secret

DEMANDS = "admission.json"
JOIN_KEY, QUORUM, PUZZLE = "join-key", "quorum", "puzzle"
MAX_BITS = 24
"""A puzzle is good for two minutes, and one of 24 bits takes some 20 s in Python."""
_FORM = re.compile(r"join-key|quorum:[1-9]\d{0,3}|puzzle:[1-9]\d?")
_QUOTA = re.compile(r"(\d{1,6})/(\d{1,9}(?:\.\d+)?)(:no-vote)?")


class QuotaDemand(NamedTuple):
    """See `admission.Quota`."""

    per_sponsor: int
    period_s: float
    beyond: Literal["decline", "no vote"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """What is demanded.

    Attributes:
        admit: forms: ``join-key``, ``quorum:K`` (K members sign for it), ``puzzle:BITS`` (a speed bump, no more).
        quota: ``N/SECONDS``: so many a sponsor and period, the others are declined; with ``:no-vote`` they are enrolled
            without a vote. Empty: no quota.
        probation_s: seconds without a vote at first.

    Raises:
        ConfigurationError: none of these, or no form at all.
    """

    admit: tuple[str, ...] = (JOIN_KEY,)
    quota: str = ""
    probation_s: float = 0.0

    def __post_init__(self) -> None:
        for form in self.admit:
            if not _FORM.fullmatch(form):
                raise ConfigurationError(f"{form!r} admits nobody: use join-key, quorum:K or puzzle:BITS")
        if not self.admit or len({form.partition(":")[0] for form in self.admit}) < len(self.admit):
            raise ConfigurationError("name each form once, and one at least: join-key, quorum:K, puzzle:BITS")
        if (self.number(PUZZLE) or 1) > MAX_BITS:
            raise ConfigurationError(f"puzzle: {MAX_BITS} bits at most, or newcomers can't solve it in time")
        if self.quota and (not _QUOTA.fullmatch(self.quota) or self.demanded_quota().period_s <= 0):
            raise ConfigurationError(f"{self.quota!r} is no quota: use N/SECONDS, or N/SECONDS:no-vote, 5/86400 say")
        if not 0 <= self.probation_s < float("inf"):
            raise ConfigurationError(f"a probation of {self.probation_s!r} s: use 0 or more")

    def number(self, form: str) -> int:
        """The number behind a form; 0 when the form is not demanded."""
        return next((int(each.partition(":")[2]) for each in self.admit if each.startswith(f"{form}:")), 0)

    def demanded_quota(self) -> QuotaDemand:
        """The quota. Only where there is one."""
        found = _QUOTA.fullmatch(self.quota)
        assert found is not None
        return QuotaDemand(int(found[1]), float(found[2]), "no vote" if found[3] else "decline")


def read_demands(enroller: Path) -> Demands:
    """What stands in an enroller's folder; the join key when nothing does. Raises `ConfigurationError`."""
    path = enroller / DEMANDS
    if not path.exists():
        return Demands()
    try:
        told = json.loads(read_secret(path, "agentbus realm init makes one"))
        return Demands(
            admit=tuple(map(str, told["admit"])), quota=str(told["quota"]), probation_s=float(told["probation_s"])
        )
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{path}: {type(error).__name__}: {error}") from None


def write_demands(enroller: Path, demands: Demands) -> None:
    """Keeps them. Raises `ConfigurationError`."""
    told = {"admit": list(demands.admit), "quota": demands.quota, "probation_s": demands.probation_s}
    write_secret(enroller / DEMANDS, json.dumps(told) + "\n")
