"""Decides on requests to be enrolled. Pure: no clock, no I/O.

Invariants: what is issued belongs to a key whose possession was shown, just now, and once; nothing is issued to a
revoked key; a node's name belongs to one key as long as anything that was issued for it is valid; a token admits once;
who is not admitted leaves nothing behind but a spent puzzle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ...errors import Refused, Unauthorized
from ..admission import Admission, Admitted, Application, Challenge, Declined, vouching
from ..credentials import RealmFile
from ..electorate.model import VOTERS
from ..electorate.register import Register
from ..enrolling import SKEW_S
from ..keys import KeyPair, Kind, public_nkey, verified
from ..realm.issuing import VALID_S, Issued, Wanted, issue
from .admission import StillEnrolled, Terms
from .codec import signed_part
from .model import NEWCOMER, RENEWAL, Request, Token

TOKEN = b"agentbus token v1\0"
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

    def void_for_good(self, key: bytes) -> bool:
        """Whether a key has been revoked: nothing is issued to it any more."""
        return public_nkey(key, Kind.USER) in self.revoked


class Desk:
    """One enroller's decisions.

    Args:
        admission: what newcomers have to show.
        renewal: who is enrolled anew.
        signing: a role's present signing key. Raises `ConfigurationError`.
        terms: what newcomers may be.
        valid_s: seconds that what it issues is valid, at most.
    """

    def __init__(
        self,
        admission: Admission,
        renewal: StillEnrolled,
        signing: Callable[[str], KeyPair],
        *,
        terms: Terms | None = None,
        valid_s: int = VALID_S,
    ) -> None:
        self._admission = admission
        self._renewal = renewal
        self._signing = signing
        self._terms = terms or Terms()
        self._valid_s = valid_s
        self._nonces: dict[bytes, float] = {}

    def decide(
        self, request: Request, standing: Standing, register: Register, tokens: dict[bytes, Token], now_s: float
    ) -> Issued | Challenge:
        """What is issued, or the puzzle to be solved first.

        Args:
            request: who asks, and for what.
            standing: how the realm stands.
            register: who is enrolled; who is admitted stands in it then.
            tokens: those that were not used; one that is used is not among them then.
            now_s: seconds since 1970.

        Raises:
            Refused, Unauthorized: which says why nothing is issued. Nothing has changed then.
        """
        wish, wanted = request.wish, request.wish.wanted
        if not verified(wanted.key, signed_part(request.body, request.proof), request.signature):
            raise Unauthorized("whoever asks does not hold the key that it asks for")
        if wish.realm != standing.public.realm:
            raise Refused(f"this is realm {standing.public.realm!r}, not {wish.realm!r}")
        if abs(now_s - wish.asked_s) > SKEW_S:
            raise Refused(f"asked {now_s - wish.asked_s:.0f} s ago, by its clock: set the clocks")
        if standing.void_for_good(wanted.key):
            raise Refused(
                f"the key of node {wanted.node!r} has been revoked: it needs a new one, and to be let in anew"
            )
        if wish.nonce in self._nonces:
            raise Refused("this request was made before: ask anew")
        valid_s = min(wish.valid_s or self._valid_s, self._valid_s)
        until_s = int(now_s) + valid_s
        if request.admission == RENEWAL:
            former = self._renewal.check(request, now_s).key
            issued = self._issue(request, standing, now_s, valid_s)
            register.renew(wanted.key, wanted.node, wanted.role, now_s, until_s=until_s, former=former)
            return issued
        if request.admission != NEWCOMER:
            raise Refused(f"nobody comes as {request.admission!r} here: {NEWCOMER}, {RENEWAL}")
        register.check(wanted.key, wanted.node, now_s)
        application = self._application(request, register, now_s)
        decision = self._by_token(request, tokens, now_s) or self._by_policy(application, wanted, now_s)
        if isinstance(decision, Challenge):
            return decision
        issued = self._issue(request, standing, now_s, valid_s)
        if request.proofs.token is not None:
            del tokens[request.proofs.token[0]]
        vote = decision.vote and wanted.role in VOTERS
        register.admit(application, Admitted(vote, decision.vote_after_s), now_s, until_s=until_s)
        return issued

    def _issue(self, request: Request, standing: Standing, now_s: float, valid_s: int) -> Issued:
        wanted = request.wish.wanted
        self._once(request.wish.nonce, now_s)  # only of who is admitted: others would fill what is remembered
        return issue(wanted, self._signing(wanted.role), standing.public, int(now_s), valid_s)

    def _application(self, request: Request, register: Register, now_s: float) -> Application:
        """The request as policies see it. Members are those with a vote, and the operators; the first of them that has
        signed is the sponsor."""
        wanted, proofs = request.wish.wanted, request.proofs
        members = {each.key for each in register.members if each.votes(now_s) or each.role == "operator"}
        asked = Application(
            body=request.application,
            key=wanted.key,
            realm=request.wish.realm,
            node=wanted.node,
            role=wanted.role,
            vouchers=proofs.vouchers,
            join=proofs.join,
            solution=proofs.solution,
            members=members,
        )
        signed = vouching(asked, members, now_s)
        return replace(asked, sponsor=next((each.key for each in proofs.vouchers if each.key in signed), b""))

    def _by_policy(self, application: Application, wanted: Wanted, now_s: float) -> Admitted | Challenge:
        self._terms.check(wanted)
        self._signing(wanted.role)  # before anything is counted
        decision = self._admission.decide(application, now_s)
        if isinstance(decision, Declined):
            if decision.puzzle is not None:
                return decision.puzzle
            raise Refused(decision.reason)
        return decision

    @staticmethod
    def _by_token(request: Request, tokens: Mapping[bytes, Token], now_s: float) -> Admitted | None:
        """By a token it is as by hand: no quota, no probation. None where none is shown."""
        if request.proofs.token is None:
            return None
        key, signature = request.proofs.token
        token, wanted = tokens.get(key), request.wish.wanted
        if token is None or not verified(key, TOKEN + request.application, signature):
            raise Refused("that is no token of this realm, or it has been used: agentbus realm token makes one")
        if now_s >= token.until_s:
            raise Refused("the token has expired: agentbus realm token makes another")
        if wanted != Wanted(key=wanted.key, node=token.node, role=token.role, names=token.names, jobs=token.jobs):
            raise Refused(f"the token is for node {token.node!r} as {token.role!r}, for {_names(token.names)}")
        return Admitted()

    def _once(self, nonce: bytes, now_s: float) -> None:
        if len(self._nonces) >= MAX_REMEMBERED:
            self._nonces = {known: until for known, until in self._nonces.items() if until > now_s}
            if len(self._nonces) >= MAX_REMEMBERED:
                raise Refused(f"{MAX_REMEMBERED} were enrolled within {2 * SKEW_S} s: ask again later")
        self._nonces[nonce] = now_s + 2 * SKEW_S


def _names(names: tuple[str, ...]) -> str:
    return f"agents {', '.join(names)}" if names else "no agents"
