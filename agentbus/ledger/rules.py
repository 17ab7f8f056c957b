"""What goes into a log, and how much of it: rules, the first that fits decides. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..errors import ConfigurationError
from ..subjects import check_subject, matches
from .model import Keep, Kind

DECISION = "agentbus.decision"
"""The type of a record of a decision about a job; its payload is JSON."""
ALL_KINDS = frozenset(Kind)
MAX_REMEMBERED = 4096
"""Answers that are kept; of more all are worked out anew."""


def _names(pattern: str, type_name: str) -> bool:
    return type_name.startswith(pattern[:-1]) if pattern.endswith("*") else type_name == pattern


def _heard(pattern: str, subject: str) -> bool:
    return bool(subject) and matches(pattern, subject)


def _check_type(name: str) -> str:
    if not name or "*" in name[:-1]:
        raise ConfigurationError(f"{name!r}: write a type's full name, or its beginning and '*'")
    return name


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is kept of records that fit.

    Attributes:
        keep: how much.
        type: a type's full name, or its beginning and ``*``.
        subject: a pattern of subjects; by default any.
        kinds: which kinds it is for.
    """

    keep: Keep
    type: str = "*"
    subject: str = ">"
    kinds: frozenset[Kind] = ALL_KINDS

    def __post_init__(self) -> None:
        check_subject(self.subject, pattern=True, what="subject of a rule")
        _check_type(self.type)

    def fits(self, kind: Kind, subject: str, type_name: str) -> bool:
        """Whether it is for such a record."""
        return (
            kind in self.kinds
            and _names(self.type, type_name)
            and (self.subject == ">" or _heard(self.subject, subject))
        )


WIRE = "agentbus.wire.v1."
AGREEMENTS = ("Demand", "Offer", "Acceptance", "Escrowed", "Usage", "Approval", "Contest", "Ruling")
"""What buyers, providers and arbiters tell one another, a message each: see `agentbus.market.agreements`."""
_HEARD = frozenset({Kind.RECEIVED})
_TOLD = frozenset({Kind.SENT})

DEFAULT = (
    Rule(type=DECISION, keep=Keep.WHOLE),
    Rule(type=f"{WIRE}EscrowReply", kinds=_TOLD, keep=Keep.WHOLE),  # with its request, and who made it
    *(Rule(type=WIRE + name, kinds=_TOLD | _HEARD, keep=Keep.WHOLE) for name in AGREEMENTS),
    Rule(type=f"{WIRE}AnswerRequest", kinds=_HEARD, keep=Keep.WHOLE),  # a person's, signed; those that don't count, too
    Rule(type=f"{WIRE}ApprovalDecided", kinds=_TOLD, keep=Keep.WHOLE),
    Rule(type=f"{WIRE}*", kinds=frozenset({Kind.DECIDED}), keep=Keep.WHOLE),
    Rule(type=f"{WIRE}*", keep=Keep.NOTHING),
    Rule(keep=Keep.DIGEST),
)
"""Whole: what was decided, by jobs' bidders, healers and people; what was agreed on, and what the escrow ledger did. Of
the rooms' own talk nothing else; of all others' messages the digest."""


class Rules:
    """The rules of one log.

    Args:
        rules: the first that fits decides; what none fits is not kept.
        secrets: types (full names, or their beginning and ``*``) whose payload never gets into the log, whatever the
            rules say: neither its bytes nor its digest, which would confirm a guess.
    """

    def __init__(self, rules: Sequence[Rule] = DEFAULT, *, secrets: Iterable[str] = ()) -> None:
        self.rules = tuple(rules)
        self.secrets = tuple(_check_type(name) for name in secrets)
        self._known: dict[tuple[Kind, str, str], Keep] = {}

    def keep(self, kind: Kind, subject: str, type_name: str) -> Keep:
        """How much is kept of such a record."""
        what = (kind, subject, type_name)
        known = self._known.get(what)
        if known is None:
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            known = self._known[what] = self._decide(kind, subject, type_name)
        return known

    def _decide(self, kind: Kind, subject: str, type_name: str) -> Keep:
        if kind is Kind.LOST:
            return Keep.FACTS
        keep = next((rule.keep for rule in self.rules if rule.fits(kind, subject, type_name)), Keep.NOTHING)
        secret = any(_names(name, type_name) for name in self.secrets)
        return Keep.FACTS if secret and keep is not Keep.NOTHING else keep
