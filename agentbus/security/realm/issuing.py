"""Issuing: what an enroller gives to a key that it admits. Pure: the time is an argument.

Invariants: nothing is issued for longer than `LONGEST_S`, nor by another key than the role's; the JWT that the broker
sees and the enrolment that other nodes see say the same key, name, role and end.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ...errors import ConfigurationError
from ...subjects import check_name
from ..credentials import RealmFile
from ..enrolling import signed_enrolment
from ..keys import KeyPair, Kind, public_nkey
from ..model import Enrolment
from .claims import encode, user_claims

VALID_S = 3600
"""Seconds that what is issued is valid, unless told otherwise."""
LONGEST_S = 400 * 86400
"""Seconds: beyond any validity that is asked for on purpose."""
MAX_NODE = 64
"""Characters of a node's name: a seat each of 4,096 nodes have room in one message."""
MAX_NAMES = 64
MAX_JOBS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked for.

    Attributes:
        key: the node's public key, 32 bytes.
        node: its name.
        role: as what.
        names: the agents that it may host, or ``*`` alone for any. The broker knows no beginnings of names.
        jobs: the sharding jobs that it may work on.

    Raises:
        SubjectError, ConfigurationError: a name that is none, or one that the broker can't hold a node to.
    """

    key: bytes
    node: str
    role: str
    names: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_name(self.node, "node")
        check_name(self.role, "role")
        if len(self.node) > MAX_NODE:
            raise ConfigurationError(f"node {self.node[:16]!r}... is longer than {MAX_NODE} characters: name it anew")
        if len(self.names) > MAX_NAMES:
            raise ConfigurationError(f"{len(self.names)} names for one node: at most {MAX_NAMES}, or '*' alone")
        for name in self.names:
            if name != "*":
                check_name(name, "agent")
        if "*" in self.names and len(self.names) > 1:
            raise ConfigurationError("'*' is any agent: give it alone")
        if len(self.jobs) > MAX_JOBS:
            raise ConfigurationError(f"{len(self.jobs)} jobs for one node: at most {MAX_JOBS}")
        for job in self.jobs:
            check_name(job, "job")


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """What is given: the user's JWT and the signed enrolment."""

    jwt: str = field(repr=False)
    enrolment: bytes = field(repr=False)


def issue(wanted: Wanted, issuer: KeyPair, realm: RealmFile, now_s: int, valid_s: int = VALID_S) -> Issued:
    """Issues. Raises `ConfigurationError`: the issuer is not the role's present one, or a validity out of range."""
    if realm.roles.get(wanted.role, ("",))[0] != issuer.public:
        raise ConfigurationError(f"{issuer.public} is not the key that issues role {wanted.role!r} in {realm.realm!r}")
    if not 0 < valid_s <= LONGEST_S:
        raise ConfigurationError(f"a validity of {valid_s} s: above 0, and {LONGEST_S} at most")
    end = now_s + valid_s
    tags = (*(f"agent:{name}" for name in wanted.names), *(f"job:{job}" for job in wanted.jobs))
    user = public_nkey(wanted.key, Kind.USER)
    enrolment = Enrolment(
        key=wanted.key,
        realm=realm.realm,
        node=wanted.node,
        names=wanted.names,
        jobs=wanted.jobs,
        role=wanted.role,
        issued_s=now_s,
        expires_s=end,
        issuer=issuer.key,
    )
    return Issued(
        jwt=encode(user_claims(user, wanted.node, realm.account, end, tags), issuer, now_s),
        enrolment=signed_enrolment(enrolment, issuer),
    )
