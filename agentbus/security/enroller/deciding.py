"""Decides on requests to be enrolled. Pure: no clock, no I/O.

Invariants: what is issued belongs to a key whose possession was shown, just now, and once; nothing is issued to a
revoked key; a node's name belongs to one key as long as anything that was issued for it is valid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ...errors import Refused, Unauthorized
from ..credentials import RealmFile
from ..enrolling import SKEW_S
from ..keys import KeyPair, Kind, public_nkey, verified
from ..realm.issuing import VALID_S, Issued, issue
from .admission import RENEWAL, Admission
from .codec import DOMAIN
from .model import Request

MAX_REMEMBERED = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the realm stands now.

    Attributes:
        public: what members know.
        revoked: users, to the second up to which what was issued to them is void; ``*`` is everybody.
        account_jwt: the account, as its operator has signed it.
    """

    public: RealmFile
    revoked: Mapping[str, int]
    account_jwt: str = ""

    def void(self, key: bytes, issued_s: int) -> bool:
        """Whether what was issued to a key at that time has been made void."""
        at = max(self.revoked.get(public_nkey(key, Kind.USER), -1), self.revoked.get("*", -1))
        return issued_s <= at


class Desk:
    """One enroller's decisions.

    Args:
        admissions: its forms of admission.
        signing: a role's present signing key. Raises `ConfigurationError`.
        valid_s: seconds that what it issues is valid, at most.
        taken: nodes to the key that has the name, and until when; carried over from an earlier run.
    """

    def __init__(
        self,
        admissions: Sequence[Admission],
        signing: Callable[[str], KeyPair],
        *,
        valid_s: int = VALID_S,
        taken: Mapping[str, tuple[bytes, int]] | None = None,
    ) -> None:
        self.taken: dict[str, tuple[bytes, int]] = dict(taken or {})
        self._admissions = {admission.form: admission for admission in admissions}
        self._signing = signing
        self._valid_s = valid_s
        self._nonces: dict[bytes, float] = {}

    def decide(self, request: Request, standing: Standing, now_s: float) -> Issued:
        """What is issued. Raises `Refused` or `Unauthorized`, which says why nothing is."""
        wish, wanted = request.wish, request.wish.wanted
        if not verified(wanted.key, DOMAIN + request.body, request.signature):
            raise Unauthorized("whoever asks does not hold the key that it asks for")
        if wish.realm != standing.public.realm:
            raise Refused(f"this is realm {standing.public.realm!r}, not {wish.realm!r}")
        if abs(now_s - wish.asked_s) > SKEW_S:
            raise Refused(f"asked {now_s - wish.asked_s:.0f} s ago, by its clock: set the clocks")
        if self._revoked_for_good(wanted.key, standing):
            raise Refused(
                f"the key of node {wanted.node!r} has been revoked: it needs a new one, and to be let in anew"
            )
        admission = self._admissions.get(request.admission)
        if admission is None:
            raise Refused(f"no admission by {request.admission!r} here: {', '.join(self._admissions)}")
        admission.check(request, now_s)
        self._once(wish.nonce, now_s)  # only of who is admitted: others would fill what is remembered
        self._take(wanted.node, wanted.key, now_s, renewed=request.admission == RENEWAL)
        valid_s = min(wish.valid_s or self._valid_s, self._valid_s)
        issued = issue(wanted, self._signing(wanted.role), standing.public, int(now_s), valid_s)
        self.taken[wanted.node] = (wanted.key, int(now_s) + valid_s)
        return issued

    def _revoked_for_good(self, key: bytes, standing: Standing) -> bool:
        return public_nkey(key, Kind.USER) in standing.revoked

    def _take(self, node: str, key: bytes, now_s: float, *, renewed: bool) -> None:
        holder, until = self.taken.get(node, (key, 0))
        if holder != key and until > now_s and not renewed:
            raise Refused(f"node {node!r} is enrolled with another key, until {until - now_s:.0f} s from now")
        if len(self.taken) >= MAX_REMEMBERED:
            self.taken = {name: entry for name, entry in self.taken.items() if entry[1] > now_s}
            if len(self.taken) >= MAX_REMEMBERED:
                raise Refused(f"{MAX_REMEMBERED} nodes are enrolled: no more")

    def _once(self, nonce: bytes, now_s: float) -> None:
        if len(self._nonces) >= MAX_REMEMBERED:
            self._nonces = {known: until for known, until in self._nonces.items() if until > now_s}
        if nonce in self._nonces or len(self._nonces) >= MAX_REMEMBERED:
            raise Refused("this request was made before: ask anew")
        self._nonces[nonce] = now_s + 2 * SKEW_S
