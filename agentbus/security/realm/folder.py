"""A realm's folder, as its operator has it: made by `create`, read by `RealmFolder`.

::

    realm.json            what the realm is: nothing secret
    offline/              the keys of operator, accounts and authority: for the operator's acts only
    servers/              what its nats-servers need: accounts.conf, tls/, and a folder for each server
    enroller/             what an enroller needs: a signing key a role, the join key, what it demands, and its books
    joiner.id             the identity that may ask to be enrolled, and nothing else

Invariants: secrets are files of mode 0600 in folders of mode 0700; no key is in a configuration; ``accounts.conf`` and
``account.jwt`` follow from ``realm.json`` and the keys in ``offline/``, and are written anew by each act.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from ...errors import ConfigurationError
from ..credentials import Credentials, FormerIssuer, RealmFile, read_secret, write_secret
from ..electorate.codec import MAX_SEATS
from ..electorate.model import VOTERS, Member
from ..enroller.model import Token
from ..keys import KeyPair, Kind, key_of, public_nkey
from . import server_files
from .books import open_books
from .certificates import authority, check_host, end_of, hosts_of, server_certificate
from .claims import AccountLimits, account_claims, encode, operator_claims, system_user_claims
from .demands import Demands, write_demands
from .issuing import LONGEST_S, Wanted, issue
from .permissions import ROLES, Layout, permissions
from .separation import exports_of, imports_of
from .server_files import ServerLimits
from .state import REALM, RealmState, read_state

ACCOUNT_JWT, JOIN_KEY, JOINER, ENROLLER = "account.jwt", "join.key", "joiner.id", "enroller.id"
JOINER_S = 365 * 86400
FORMER_S = 31 * 86400
"""Seconds for which a signing key that was replaced is remembered: longer than a durable frame is good."""
MAX_FORMER = 64
SYSTEM_S = 300
"""Seconds that the system account's user lives, with which the operator's acts reach the servers."""

_README = """The keys of this realm's operator, of its accounts and of its certificate authority.

Who has them can do everything in the realm. They are needed for the operator's acts only: agentbus identity revoke,
agentbus realm rotate, agentbus realm push. Move this folder to a medium that is offline, and back for these acts.
Neither servers nor enrollers nor nodes need it.
"""


class RealmFolder:
    """A realm's folder. Raises `ConfigurationError` when there is none.

    Attributes:
        folder: where.
        state: what stands in it.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.state = read_state(self.folder)

    @property
    def public(self) -> RealmFile:
        """What members know."""
        return self.state.public

    @property
    def enroller(self) -> Path:
        """The folder that an enroller needs."""
        return self.folder / "enroller"

    @property
    def joiner(self) -> Path:
        """The identity that may ask to be enrolled."""
        return self.folder / JOINER

    def server(self, number: int = 1) -> Path:
        """The folder of a server, to start it in: ``nats-server -c server.conf``."""
        return self.folder / "servers" / str(number)

    def offline(self, name: str, kind: Kind) -> KeyPair:
        """A key of ``offline/``. Raises `ConfigurationError`."""
        return KeyPair.load(self.folder / "offline" / f"{name}.nk", kind)

    def signing(self, role: str) -> KeyPair:
        """A role's present signing key. Raises `ConfigurationError`."""
        if role not in self.public.roles:
            raise ConfigurationError(f"no role {role!r}: there is {', '.join(self.public.roles)}")
        return signing_key(self.enroller, role)

    def account_jwt(self, now_s: int) -> str:
        """The account, as its operator signs it now."""
        state = self.state
        allowed = permissions(state.layout)
        scopes = [(key, role, allowed[role]) for role, keys in state.public.roles.items() for key in keys]
        nothing_stored = AccountLimits(disk_bytes=0, memory_bytes=0)
        streams = self.offline("streams", Kind.ACCOUNT).public
        former = [(former.key, former.role, former.until_s) for former in state.public.former]
        claims = account_claims(
            state.public.account,
            state.public.realm,
            nothing_stored,
            scopes,
            state.revoked,
            former,
            imports=imports_of(state.public.realm, streams),
        )
        return encode(claims, self.offline("operator", Kind.OPERATOR), now_s)

    def write(self, state: RealmState, now_s: int) -> str:
        """Keeps a new state, and what follows from it; returns the account's new JWT."""
        operator = self.offline("operator", Kind.OPERATOR)
        now_s = max(now_s, state.public.issued_s)  # members take nothing older than what they know
        public = replace(state.public, issued_s=now_s)
        self.state = state = replace(state, public=public)
        jwt = self.account_jwt(now_s)
        system = account_claims(public.system_account, "SYS", AccountLimits(disk_bytes=0, memory_bytes=0))
        own = encode(
            operator_claims(public.operator, f"{public.realm}-operator", public.system_account), operator, state.made_s
        )
        streams = self.offline("streams", Kind.ACCOUNT).public
        limits = AccountLimits(connections=0, disk_bytes=state.disk_bytes, memory_bytes=256 << 20)
        kept = account_claims(streams, f"{public.realm}-streams", limits, exports=exports_of(public.realm))
        jwts = {public.account: jwt}
        jwts |= {
            key: encode(claims, operator, now_s) for key, claims in ((public.system_account, system), (streams, kept))
        }
        text = server_files.accounts(own, public.system_account, jwts, full=state.servers > 1)
        told = json.dumps(state.as_json(), indent=1) + "\n"
        write_secret(self.folder / "servers" / server_files.ACCOUNTS, text)
        for folder in (self.enroller, self.folder):
            write_secret(folder / REALM, told)
        write_secret(self.enroller / ACCOUNT_JWT, jwt + "\n")
        for path, held in self._own().items():
            if replace(held.realm, issued_s=0) != replace(public, issued_s=0):  # whoever uses it goes over to it
                replace(held, realm=public).save(path)
        return jwt

    def revoke(self, user: str, now_s: int) -> str:
        """Makes void what was issued to a user's key until now; returns the account's new JWT."""
        key_of(user, Kind.USER)
        return self.write(replace(self.state, revoked={**self.state.revoked, user: now_s}), now_s)

    def rotate(self, role: str, now_s: int, *, keep: bool = True) -> str:
        """A new signing key for a role; returns the account's new JWT.

        Args:
            keep: whether what the present key signed stays valid until it expires. If not, its users are cut off, and
                nothing that any earlier key of the role has signed counts any more, what is durable neither.

        The realm's own identities in this folder, the enroller's and the joiner's, are of a year. They are written
        anew, so that they know the new key. They are by the key that is given up next, which members know by now; by
        the new one if nothing else counts.
        """
        public = self.public
        if role not in public.roles:
            raise ConfigurationError(f"no role {role!r}: there is {', '.join(public.roles)}")
        self.offline("operator", Kind.OPERATOR)  # before anything is changed
        if keep and self.signing(role).public == public.roles[role][0]:  # or else an act was killed between the two
            self._enroll_own(role, now_s)
        fresh = KeyPair.create(Kind.ACCOUNT)
        keys = (fresh.public, *(public.roles[role][:1] if keep else ()))
        gone = [
            FormerIssuer(key=key, role=role, until_s=now_s + 1) for key in public.roles[role][1:]
        ]  # the second is over
        former = [*public.former, *gone] if keep else [each for each in public.former if each.role != role]
        former = [each for each in former if each.until_s > now_s - FORMER_S][-MAX_FORMER:]
        write_secret(self.enroller / "roles" / f"{role}.nk", fresh.reveal_seed() + "\n")
        changed = replace(public, roles={**public.roles, role: keys}, former=tuple(former))
        jwt = self.write(replace(self.state, public=changed), now_s)
        if not keep:
            self._enroll_own(role, now_s)
        return jwt

    def _own(self) -> dict[Path, Credentials]:
        """The realm's own identities, as far as they can be read: no act is held up by one that can't."""
        found: dict[Path, Credentials] = {}
        for path in (self.joiner, self.enroller / ENROLLER):
            with suppress(ConfigurationError):
                found[path] = Credentials.load(path)
        return found

    def _enroll_own(self, role: str, now_s: int) -> None:
        """Those of that role are enrolled anew."""
        for path, held in self._own().items():
            if held.enrolled.role == role:
                pair = held.pair if held.pair.public not in self.state.revoked else KeyPair.create()
                wanted = Wanted(key=pair.key, node=held.enrolled.node, role=role, names=held.enrolled.names)
                self.enroll(pair, wanted, now_s, JOINER_S).save(path)

    @property
    def certificate(self) -> str:
        """What its servers show, PEM. Raises `ConfigurationError`."""
        return read_secret(self.folder / "servers" / "tls" / "server.pem", "agentbus realm renew makes one")

    def renew(self, now_s: int) -> datetime:
        """Another key and certificate for its servers, by the same authority and for the same names; returns until when
        it is valid. Servers that run show it once they have read their configuration anew (`pushing.reload`)."""
        ca_key = read_secret(self.folder / "offline" / "ca.key", "bring offline/ back for this act")
        hosts, now = hosts_of(self.certificate), datetime.fromtimestamp(now_s, UTC)
        certificate, key = server_certificate(self.public.ca, ca_key, hosts, now)
        for name, text in (("server.key", key), ("server.pem", certificate)):
            write_secret(self.folder / "servers" / "tls" / name, text)
        return end_of(certificate)

    def system_user(self, now_s: int) -> tuple[KeyPair, str]:
        """A user of the system account for one act: its key, and its JWT."""
        pair = KeyPair.create()
        claims = system_user_claims(pair.public, "operator", now_s + SYSTEM_S)
        return pair, encode(claims, self.offline("system", Kind.ACCOUNT), now_s)

    def enroll(self, pair: KeyPair, wanted: Wanted, now_s: int, valid_s: int) -> Credentials:
        """Enrolls a key here, by the role's signing key. The node's name is this key's from now on; an `agent` votes as
        soon as an enroller has issued the next epoch set. Raises `ConfigurationError`, also for a role or a job that
        the realm has not got, and for a key that was revoked."""
        self.check(wanted)
        if (public := public_nkey(wanted.key, Kind.USER)) in self.state.revoked:
            raise ConfigurationError(f"{public} has been revoked: make another key")
        issued = issue(wanted, self.signing(wanted.role), self.public, now_s, valid_s)
        member = Member(
            key=wanted.key,
            node=wanted.node,
            role=wanted.role,
            issued_s=now_s,
            until_s=now_s + valid_s,
            votes_from_s=now_s if wanted.role in VOTERS else None,
        )
        with open_books(self.enroller) as books:
            others = [
                each
                for each in books.members
                if each.key != member.key and each.node != member.node and each.until_s > now_s
            ]
            if len(others) >= MAX_SEATS:
                raise ConfigurationError(f"{MAX_SEATS} identities are enrolled: revoke one, or wait until one expires")
            books.members = (*others, member)
        return Credentials(
            pair=pair, jwt=issued.jwt, enrolment=issued.enrolment, realm=self.public, epoch_set=books.signed
        )

    def check(self, wanted: Wanted) -> None:
        """Raises `ConfigurationError` for a role or a job that the realm has not got."""
        self.signing(wanted.role)
        if missing := {*wanted.jobs} - {*self.state.layout.jobs}:
            raise ConfigurationError(f"realm {self.public.realm!r} has no job {min(missing)!r}: name it at its making")

    def add_token(self, key: bytes, token: Token) -> None:
        """Lets whoever has the key of that public half be enrolled, once. Raises `ConfigurationError`."""
        with open_books(self.enroller) as books:
            books.tokens = {**books.tokens, key: token}


def signing_key(enroller: Path, role: str) -> KeyPair:
    """A role's present signing key, in an enroller's folder. Raises `ConfigurationError`."""
    return KeyPair.load(enroller / "roles" / f"{role}.nk", Kind.ACCOUNT)


def create(
    folder: Path | str,
    layout: Layout,
    *,
    now_s: int,
    hosts: Sequence[str] = ("127.0.0.1",),
    port: int = 4222,
    ports: Sequence[int] = (),
    servers: int = 1,
    listen: str = "127.0.0.1",
    limits: ServerLimits | None = None,
    log: str = "",
    admission: Demands | None = None,
) -> RealmFolder:
    """Makes a realm.

    Args:
        folder: which must not hold one.
        layout: its name, and what there is in it.
        now_s: seconds since 1970.
        hosts: how its servers are reached: a name or an address each, or one for all. They stand in the certificate.
        port: of the first server; the others have the next ones where they share a host.
        ports: of each server, in place of `port`.
        servers: 1, or as many as shall be a cluster.
        listen: the address that servers listen on.
        limits: of each server.
        log: the servers' log file, relative to their folder; empty for standard error.
        admission: what its enroller demands of newcomers; by default the join key.

    Raises:
        ConfigurationError: there is a realm already, or a value that can't be.
    """
    folder = Path(folder)
    if (folder / REALM).exists():
        raise ConfigurationError(f"{folder} holds a realm already: it is not overwritten")
    if not 1 <= servers <= 9 or not hosts or len(hosts) not in (1, servers):
        raise ConfigurationError("a realm has 1 to 9 servers, with one host for all or one for each")
    for host in hosts:
        check_host(host)
    for name in ("", "offline", "servers", "servers/tls", "enroller", "enroller/roles"):
        (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / name).chmod(0o700)
    ca = _keys(folder, layout.realm, hosts, now_s)
    operator, account, system = (
        KeyPair.load(folder / "offline" / f"{name}.nk", kind)
        for name, kind in (("operator", Kind.OPERATOR), ("account", Kind.ACCOUNT), ("system", Kind.ACCOUNT))
    )
    each = [*hosts] * servers if len(hosts) == 1 else [*hosts]
    shared = len(hosts) == 1
    numbers = [*ports] or [port + number if shared else port for number in range(servers)]
    routes = [number + 2000 for number in numbers] if not ports else [*ports[servers:]] or [p + 2000 for p in ports]
    public = RealmFile(
        realm=layout.realm,
        operator=operator.public,
        account=account.public,
        system_account=system.public,
        roles={role: (signing_key(folder / "enroller", role).public,) for role in ROLES},
        urls=tuple(f"tls://{_bracketed(host)}:{at}" for host, at in zip(each, numbers, strict=False)),
        ca=ca,
    )
    limits = limits or ServerLimits()
    for number in range(servers):
        where = folder / "servers" / str(number + 1)
        where.mkdir(mode=0o700, exist_ok=True)
        text = server_files.server(
            name=f"{layout.realm}-{number + 1}",
            host=listen,
            port=numbers[number],
            limits=limits,
            cluster=layout.realm if servers > 1 else "",
            cluster_port=routes[number],
            routes=[f"{_bracketed(host)}:{at}" for host, at in zip(each, routes, strict=False)],
            log=log,
        )
        write_secret(where / "server.conf", text)
    state = RealmState(public=public, layout=layout, servers=servers, disk_bytes=limits.disk_bytes, made_s=now_s)
    write_secret(folder / REALM, json.dumps(state.as_json(), indent=1) + "\n")
    write_demands(folder / "enroller", admission or Demands())
    made = RealmFolder(folder)
    made.write(state, now_s)
    _identities(made, now_s)
    return made


def _keys(folder: Path, realm: str, hosts: Sequence[str], now_s: int) -> str:
    """Makes all keys and certificates; returns the authority's certificate."""
    offline = folder / "offline"
    write_secret(offline / "README", _README)
    KeyPair.create(Kind.OPERATOR).save(offline / "operator.nk")
    for name in ("account", "streams", "system"):
        KeyPair.create(Kind.ACCOUNT).save(offline / f"{name}.nk")
    for role in ROLES:
        KeyPair.create(Kind.ACCOUNT).save(folder / "enroller" / "roles" / f"{role}.nk")
    write_secret(folder / "enroller" / JOIN_KEY, secrets.token_urlsafe(32) + "\n")
    now = datetime.fromtimestamp(now_s, UTC)
    ca, ca_key = authority(realm, now)
    names = list(dict.fromkeys([*hosts, "localhost", "127.0.0.1"]))
    certificate, key = server_certificate(ca, ca_key, names, now)
    write_secret(offline / "ca.key", ca_key)
    for name, text in (("ca.pem", ca), ("server.pem", certificate), ("server.key", key)):
        write_secret(folder / "servers" / "tls" / name, text)
    return ca


def _identities(realm: RealmFolder, now_s: int) -> None:
    """The enroller's, and the one that may ask to be enrolled."""
    for role, path, names in (("joiner", realm.joiner, ()), ("enroller", realm.enroller / ENROLLER, ("enroller",))):
        pair = KeyPair.create()
        wanted = Wanted(key=pair.key, node=role, role=role, names=names)
        realm.enroll(pair, wanted, now_s, min(JOINER_S, LONGEST_S)).save(path)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
