"""Admission: which newcomers an enroller enrolls, and with what vote. Pure: the time is an argument.

Policies are asked with `decide`; `AllOf` joins them. None of them proves that an applicant is honest:

* `RealmKey`: who knows a secret of the realm.
* `Quorum`: for whom k of n members have signed.
* `Puzzle`: who has spent some computing time. **A speed bump, no more**: it slows a crowd of new identities down by a
  constant factor, and slows the poor more than the rich.
* `Quota`: so many a sponsor and period; what is beyond is declined, or has no vote.
* `Probation`: no vote before a time has passed.

Invariants: what a policy remembers has limits; a policy that declines has remembered nothing but spent nonces. Nobody
vouches for itself, and a member's word counts once, for one application, until a time that the member has said.
"""

from __future__ import annotations

import hmac
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, NamedTuple, Protocol

from ..errors import ConfigurationError
from .keys import KEY_BYTES, KeyPair, verified

VOUCHER = b"agentbus voucher v2\0"
JOIN = b"agentbus join v1\0"
PUZZLE = b"agentbus puzzle v1\0"
MAX_SPONSORS = 4096
MAX_SPENT = 65536
MAX_VOUCHERS = 64
_STAMP, _MAC, _COUNTER = 8, 16, 8


class Voucher(NamedTuple):
    """A member's word for an application: its key, its signature over the time until which it counts and over the
    application's body, and that time, seconds since 1970."""

    key: bytes
    signature: bytes
    until_s: int


class Challenge(NamedTuple):
    """A puzzle: `solve` answers it. `bits`: zeros that the hash has to begin with."""

    nonce: bytes
    bits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """A key asks to be enrolled. That whoever asks holds the key is shown before.

    Attributes:
        body: what is asked, as bytes; names the key, the realm, the node, its agents and the role. Proofs are over
            these.
        key: the Ed25519 public key, 32 bytes.
        realm, node, role: in which, as which, as what.
        sponsor: the key of the member that stands up for it; empty: nobody. It has to be among the vouchers.
        vouchers: members' signatures.
        join: for `RealmKey`, by `join_proof`.
        solution: for `Puzzle`, by `solve`.
        members: the keys of those that may vouch now, as the enroller knows them.
    """

    body: bytes
    key: bytes
    realm: str
    node: str
    role: str = ""
    sponsor: bytes = b""
    vouchers: tuple[Voucher, ...] = ()
    join: bytes = b""
    solution: bytes = b""
    members: Collection[bytes] = ()


@dataclass(frozen=True, slots=True)
class Admitted:
    """It is enrolled.

    Attributes:
        vote: whether it will have a vote.
        vote_after_s: seconds until it has.
    """

    vote: bool = True
    vote_after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Declined:
    """It is not enrolled, and why, for people; with a puzzle when solving that would help."""

    reason: str
    puzzle: Challenge | None = None


Decision = Admitted | Declined


class Admission(Protocol):
    """What an enroller demands."""

    def decide(self, application: Application, now: float) -> Decision:
        """What becomes of an application; `now` in seconds since 1970."""
        ...


class AllOf:
    """All policies have to admit, in this order; the first that declines decides. Put `Quota` last: it counts what it
    admits.

    Args:
        policies: at least one.
    """

    def __init__(self, *policies: Admission) -> None:
        if not policies:
            raise ConfigurationError("AllOf() of nothing would admit anybody: name a policy")
        self.policies = policies

    def decide(self, application: Application, now: float) -> Decision:
        """See `Admission.decide`."""
        vote, after_s = True, 0.0
        for policy in self.policies:
            decision = policy.decide(application, now)
            if isinstance(decision, Declined):
                return decision
            vote, after_s = vote and decision.vote, max(after_s, decision.vote_after_s)
        return Admitted(vote, after_s)


def join_proof(secret: str, body: bytes) -> bytes:
    """What shows that somebody knows the realm's key, and does not show the key."""
    return hmac.digest(secret.encode(), JOIN + body, sha256)


class RealmKey:
    """Admits who knows the realm's key.

    Args:
        secret: the key; or what gives the present one, as it may be replaced.
    """

    def __init__(self, secret: str | Callable[[], str]) -> None:
        self._secret = secret
        self._present()

    def __repr__(self) -> str:
        return "RealmKey(...)"

    def decide(self, application: Application, now: float) -> Decision:
        """See `Admission.decide`."""
        if hmac.compare_digest(join_proof(self._present(), application.body), application.join):
            return Admitted()
        if not application.join:
            return Declined("this realm demands the join key: --join-key")
        return Declined("that is not this realm's join key")

    def _present(self) -> str:
        secret = self._secret() if callable(self._secret) else self._secret
        if not secret:
            raise ConfigurationError("RealmKey: an empty secret is none")
        return secret


def vouch(member: KeyPair, body: bytes, until_s: float) -> Voucher:
    """A member's word for an application, until a time in seconds since 1970."""
    return Voucher(member.key, member.sign(_word(body, int(until_s))), int(until_s))


def _word(body: bytes, until_s: int) -> bytes:
    return VOUCHER + until_s.to_bytes(8, "big") + body


class Quorum:
    """Admits for whom k distinct members have signed. Nobody vouches for itself.

    Args:
        k: signatures that it takes.
        members: the members' keys; by default those that the enroller knows at the time, `Application.members`.
    """

    def __init__(self, k: int, members: Collection[bytes] | None = None) -> None:
        if k < 1 or (members is not None and k > len(set(members))):
            raise ConfigurationError(f"Quorum: k={k}: at least 1, and no more than there are members")
        self._k = k
        self._members = members

    def decide(self, application: Application, now: float) -> Decision:
        """See `Admission.decide`."""
        members = application.members if self._members is None else self._members
        good = vouching(application, members, now)
        if len(good) >= self._k:
            return Admitted()
        have = f"{len(good)} member has" if len(good) == 1 else f"{len(good)} members have"
        return Declined(
            f"{have} signed for it, and it takes {self._k}: agentbus identity request, then agentbus identity vouch"
        )


def solve(challenge: bytes, key: bytes, realm: str, bits: int) -> bytes:
    """Solves a puzzle: takes ``2 ** bits`` hashes on average, some 1,000,000 a second in Python.

    Returns:
        What `Application.solution` is to be.
    """
    prefix = sha256(PUZZLE + realm.encode() + b"\0" + key + challenge)
    counter = 0
    while True:
        guess = prefix.copy()
        tail = counter.to_bytes(_COUNTER, "big")
        guess.update(tail)
        if int.from_bytes(guess.digest(), "big") >> (256 - bits) == 0:
            return challenge + tail
        counter += 1


class Puzzle:
    """A speed bump: admits who has solved a puzzle over its key, the realm and a nonce of this enroller.

    A machine with a graphics card does a thousand million hashes a second: at 20 bits a thousand identities cost it a
    second. What holds a crowd off is `Quorum`, `Quota` and `Probation`. Reference: A. Back, Hashcash (2002).

    Args:
        bits: zeros that the hash begins with; 1 to 64.
        secret: by which the enroller knows its own nonces, 16 bytes at least.
        valid_s: seconds for which a nonce is good, once.
    """

    def __init__(self, bits: int, secret: bytes, valid_s: float = 120.0) -> None:
        if not 1 <= bits <= 64 or len(secret) < 16 or not 0 < valid_s < float("inf"):
            raise ConfigurationError("Puzzle: bits from 1 to 64, a secret of 16 bytes at least, valid_s above 0")
        self.bits = bits
        self._secret = secret
        self._valid_s = valid_s
        self._spent: dict[bytes, float] = {}

    @property
    def expected_hashes(self) -> int:
        """What a solution costs on average."""
        return 1 << self.bits

    def challenge(self, key: bytes, realm: str, now: float) -> bytes:
        """A nonce for that key. The enroller need not remember it."""
        stamp = int(now * 1000).to_bytes(_STAMP, "big")
        return stamp + self._mac(stamp, key, realm)

    def decide(self, application: Application, now: float) -> Decision:
        """See `Admission.decide`."""
        solution, key, realm = application.solution, application.key, application.realm
        if len(solution) != _STAMP + _MAC + _COUNTER:
            puzzle = Challenge(self.challenge(key, realm, now), self.bits)
            return Declined(f"solve the puzzle first; it takes some {self.expected_hashes} hashes", puzzle)
        stamp, challenge = solution[:_STAMP], solution[:-_COUNTER]
        if not hmac.compare_digest(self._mac(stamp, key, realm), solution[_STAMP:-_COUNTER]):
            return Declined("the puzzle is not one of this enroller's, for this key and realm")
        until = int.from_bytes(stamp, "big") / 1000 + self._valid_s
        if now >= until:
            return Declined(f"the puzzle was good for {self._valid_s:g} s: ask for another")
        digest = sha256(PUZZLE + realm.encode() + b"\0" + key + solution).digest()
        if int.from_bytes(digest, "big") >> (256 - self.bits):
            return Declined("that does not solve the puzzle")
        if challenge in self._spent:
            return Declined("the puzzle has been used: ask for another")
        if len(self._spent) >= MAX_SPENT:
            self._spent = {nonce: end for nonce, end in self._spent.items() if end > now}
            if len(self._spent) >= MAX_SPENT:
                return Declined("too many apply now: try again later")
        self._spent[challenge] = until
        return Admitted()

    def _mac(self, stamp: bytes, key: bytes, realm: str) -> bytes:
        return hmac.digest(self._secret, PUZZLE + stamp + key + realm.encode(), sha256)[:_MAC]


class Quota:
    """So many identities a sponsor and period. The sponsor has to have signed; those of nobody are counted together. A
    key that comes again as the same node within the period counts once.

    Args:
        per_sponsor: identities.
        period_s: seconds.
        beyond: what becomes of one more: ``"decline"``, or ``"no vote"``: it is enrolled, and has none.
    """

    def __init__(self, per_sponsor: int, period_s: float, *, beyond: Literal["decline", "no vote"] = "decline") -> None:
        if per_sponsor < 0 or not 0 < period_s < float("inf") or beyond not in ("decline", "no vote"):
            raise ConfigurationError("Quota: per_sponsor >= 0, period_s > 0, beyond='decline' or 'no vote'")
        self._per_sponsor = per_sponsor
        self._period_s = period_s
        self._beyond = beyond
        self._admitted: dict[bytes, deque[tuple[float, bytes]]] = {}

    def kept(self) -> dict[bytes, list[tuple[float, bytes]]]:
        """What has been counted: by sponsor, when, and which key as which node. For `recall`, after a restart."""
        return {sponsor: list(times) for sponsor, times in self._admitted.items() if times}

    def recall(self, kept: Mapping[bytes, Iterable[tuple[float, bytes]]]) -> None:
        """Goes on from what `kept` gave."""
        self._admitted = {sponsor: deque(times) for sponsor, times in kept.items()}

    def decide(self, application: Application, now: float) -> Decision:
        """See `Admission.decide`."""
        sponsor = application.sponsor
        if sponsor and not vouching(application, (sponsor,), now):
            return Declined("it names a sponsor that has not signed for it")
        since = now - self._period_s
        times = self._admitted.get(sponsor, deque[tuple[float, bytes]]())
        while times and times[0][0] <= since:
            times.popleft()
        asking = application.key + application.node.encode()  # a key that has left its seat to another comes anew
        if any(who == asking for _, who in times):
            return Admitted()
        if len(times) < self._per_sponsor and self._has_room(sponsor, since):
            times.append((now, asking))
            self._admitted[sponsor] = times
            return Admitted()
        if self._beyond == "no vote":
            return Admitted(vote=False)
        again_s = f": again in {times[0][0] - since:.0f} s" if times else ""
        return Declined(f"its sponsor has had {len(times)} enrolled within {self._period_s:g} s{again_s}")

    def _has_room(self, sponsor: bytes, since: float) -> bool:
        if sponsor not in self._admitted and len(self._admitted) >= MAX_SPONSORS:
            self._admitted = {who: times for who, times in self._admitted.items() if times and times[-1][0] > since}
        return sponsor in self._admitted or len(self._admitted) < MAX_SPONSORS


class Probation:
    """Everybody is admitted, and has no vote for a time.

    Args:
        seconds: how long.
    """

    def __init__(self, seconds: float) -> None:
        if not 0 <= seconds < float("inf"):
            raise ConfigurationError(f"Probation: seconds={seconds!r}: use a number of 0 or more")
        self._seconds = seconds

    def decide(self, application: Application, now: float) -> Decision:
        """See `Admission.decide`."""
        return Admitted(vote_after_s=self._seconds)


def quotas(policy: Admission) -> Iterator[Quota]:
    """The quotas in a policy, in its order: what an enroller has to keep."""
    if isinstance(policy, AllOf):
        for each in policy.policies:
            yield from quotas(each)
    elif isinstance(policy, Quota):
        yield policy


def vouching(application: Application, members: Iterable[bytes], now: float) -> set[bytes]:
    """Those of the members that have signed for it and still stand by that, the applicant excepted."""
    wanted = frozenset(members) - {application.key}
    told = {voucher.key: voucher for voucher in application.vouchers[:MAX_VOUCHERS] if voucher.until_s > now}
    return {
        key
        for key, (_, signature, until_s) in told.items()
        if key in wanted and len(key) == KEY_BYTES and verified(key, _word(application.body, until_s), signature)
    }
