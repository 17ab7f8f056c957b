"""What is no amount, and by which name it is refused: the same list for every machine."""

from __future__ import annotations

from math import inf, nan

from agentbus.market import Reason

WRONG = [
    (nan, Reason.NOT_AN_AMOUNT),
    (inf, Reason.NOT_AN_AMOUNT),
    (-inf, Reason.NOT_AN_AMOUNT),
    (12.0, Reason.NOT_AN_AMOUNT),
    (True, Reason.NOT_AN_AMOUNT),
    ("12", Reason.NOT_AN_AMOUNT),
    (None, Reason.NOT_AN_AMOUNT),
    (-1, Reason.NEGATIVE),
    (2**63, Reason.TOO_LARGE),
    (10**30, Reason.TOO_LARGE),
]
