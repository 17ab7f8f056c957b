"""What an identity holds once it is enrolled, and how it is kept: one file of mode 0600.

`RealmFile` is public: what every member knows of its realm. `Credentials` hold the secret key, which shows in no
`repr`, error or log.
"""

from __future__ import annotations

import json
import os
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from ..errors import ConfigurationError, SubjectError, Unauthorized
from ..subjects import check_name
from .codec import decode_enrolment
from .enrolling import FormerIssuers, Issuers
from .keys import SIGNATURE_BYTES, KeyPair, Kind, key_of, read_private
from .model import Enrolment

FORM = 1
"""Of the files written here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FormerIssuer:
    """A role's signing key that issues no more, and whose enrolments have been given up.

    Attributes:
        key: its public NKEY, of an account.
        role: which it issued.
        until_s: seconds since 1970; durable frames that were signed before are still believed.
    """

    key: str
    role: str
    until_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RealmFile:
    """What members know of their realm: nothing of it is secret.

    Attributes:
        realm: its name.
        operator, account, system_account: their public NKEYs.
        roles: each role's signing keys, public NKEYs of accounts, the present one first; a former one stays until
            what it signed has expired.
        urls: of its servers, ``tls://host:port``.
        ca: its certificate authority, PEM; empty: the system's.
        tls_first: its servers expect TLS before they say anything.
        issued_s: when the operator signed the account that this follows from, seconds since 1970. What is older is not
            taken any more.
        former: signing keys of before, for what is durable.

    Raises:
        ConfigurationError: a key or a name that is none.
    """

    realm: str
    operator: str
    account: str
    system_account: str
    roles: Mapping[str, Sequence[str]]
    urls: Sequence[str]
    ca: str = field(default="", repr=False)
    tls_first: bool = True
    issued_s: int = 0
    former: Sequence[FormerIssuer] = ()

    def __post_init__(self) -> None:
        check_name(self.realm, "realm")
        key_of(self.operator, Kind.OPERATOR)
        signing = [key for keys in self.roles.values() for key in keys] + [former.key for former in self.former]
        for public in (self.account, self.system_account, *signing):
            key_of(public, Kind.ACCOUNT)
        for role in self.roles:
            check_name(role, "role")

    @property
    def issuers(self) -> Issuers:
        """Whom frames and enrolments are believed by: a signing key's 32 bytes to its role."""
        return {key_of(public, Kind.ACCOUNT): role for role, keys in self.roles.items() for public in keys}

    def keys_of(self, role: str) -> tuple[bytes, ...]:
        """The keys that issue a role, the present one first, 32 bytes each; none for a role that is not there."""
        return tuple(key_of(public, Kind.ACCOUNT) for public in self.roles.get(role, ()))

    @property
    def former_issuers(self) -> FormerIssuers:
        """Whom durable frames are believed by that were signed before a time."""
        return {key_of(former.key, Kind.ACCOUNT): (former.role, former.until_s) for former in self.former}

    @property
    def url(self) -> str:
        """All servers, as a transport takes them."""
        return ",".join(self.urls)

    def as_json(self) -> dict[str, Any]:
        """What `of_json` reads."""
        return {
            "realm": self.realm,
            "operator": self.operator,
            "account": self.account,
            "system_account": self.system_account,
            "roles": {role: list(keys) for role, keys in self.roles.items()},
            "urls": list(self.urls),
            "ca": self.ca,
            "tls_first": self.tls_first,
            "issued_s": self.issued_s,
            "former": [[former.key, former.role, former.until_s] for former in self.former],
        }

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Self:
        """The realm that `as_json` told of. Raises `ConfigurationError`."""
        try:
            return cls(
                realm=str(told["realm"]),
                operator=str(told["operator"]),
                account=str(told["account"]),
                system_account=str(told["system_account"]),
                roles={str(role): tuple(map(str, keys)) for role, keys in told["roles"].items()},
                urls=tuple(map(str, told["urls"])),
                ca=str(told.get("ca", "")),
                tls_first=bool(told.get("tls_first", True)),
                issued_s=int(told.get("issued_s", 0)),
                former=former_of(told.get("former", ())),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ConfigurationError(f"not a realm: {type(error).__name__}: {error}") from None


def former_of(told: Any) -> tuple[FormerIssuer, ...]:
    """Former issuers as JSON tells of them. Raises `TypeError`, `ValueError`."""
    return tuple(FormerIssuer(key=str(key), role=str(role), until_s=int(until)) for key, role, until in told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What an identity holds.

    Attributes:
        pair: its key, of a user.
        jwt: what the broker wants to see: the user's JWT.
        enrolment: what other nodes want to see: the signed enrolment (`signed_enrolment`).
        realm: what it knows of its realm.
        epoch_set: the newest signed epoch set that it was given; empty for none.
    """

    pair: KeyPair
    jwt: str = field(repr=False)
    enrolment: bytes = field(repr=False)
    realm: RealmFile
    epoch_set: bytes = field(default=b"", repr=False)

    @property
    def enrolled(self) -> Enrolment:
        """The enrolment, read and not verified. Raises `Unauthorized`."""
        return decode_enrolment(self.enrolment[SIGNATURE_BYTES:])

    def save(self, path: Path | str) -> None:
        """Into a file of mode 0600, replaced in one step. Raises `ConfigurationError`."""
        told = {
            "form": FORM,
            "seed": self.pair.reveal_seed(),
            "jwt": self.jwt,
            "enrolment": b64encode(self.enrolment).decode(),
            "realm": self.realm.as_json(),
            "epoch_set": b64encode(self.epoch_set).decode(),
        }
        write_secret(path, json.dumps(told, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """From a file that nobody else may read. Raises `ConfigurationError`, which shows nothing of what is in it."""
        text = read_secret(path, "agentbus identity enroll makes one")
        wrong = f"{path} holds no enrolled identity: agentbus identity enroll makes one"
        try:
            told = json.loads(text)
            if told["form"] != FORM:
                raise ConfigurationError(f"{path} is of a form that this agentbus does not know: renew one of them")
            found = cls(
                pair=KeyPair.from_seed(told["seed"]),
                jwt=str(told["jwt"]),
                enrolment=b64decode(told["enrolment"], validate=True),
                realm=RealmFile.of_json(told["realm"]),
                epoch_set=b64decode(told.get("epoch_set", ""), validate=True),
            )
            enrolled = found.enrolled
        except ConfigurationError as error:
            raise ConfigurationError(f"{path}: {error}") from None
        except (KeyError, TypeError, ValueError, AttributeError, SubjectError, Unauthorized):
            raise ConfigurationError(wrong) from None
        if enrolled.key != found.pair.key or enrolled.realm != found.realm.realm:
            raise ConfigurationError(f"{path}: its enrolment is another's: enroll this identity again")
        return found


def write_secret(path: Path | str, text: str) -> None:
    """Into a file of mode 0600, replaced in one step. Raises `ConfigurationError`."""
    path = Path(path)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
            _sync_folder(path.parent)
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise
    except OSError as error:
        raise ConfigurationError(f"nothing can be kept in {path}: {error.strerror}") from None


def _sync_folder(folder: Path) -> None:
    """The file's new name is on the disk, too, where folders can be synced."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def read_secret(path: Path | str, remedy: str) -> str:
    """The text of a file that nobody else may read. Raises `ConfigurationError`, with the remedy if there is none."""
    path = Path(path)
    try:
        return read_private(path)
    except OSError as error:
        raise ConfigurationError(f"nothing to read in {path}: {error.strerror}; {remedy}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not text: {remedy}") from None
