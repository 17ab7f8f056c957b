"""An enroller's books: who is enrolled, the newest epoch set, what quotas have counted, and one-time tokens. One file.

Invariants: whatever changes together is written together, replaced in one step and by one process at a time: whoever is
killed leaves the books as they were before or after an act, never between. A token is kept as the public half of a key:
who reads the books can't use it. Books that can't be read are an error: with none, every name would be free.
"""

from __future__ import annotations

import json
import os
import time
from base64 import b64decode, b64encode
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import Busy, ConfigurationError
from ..credentials import read_secret, write_secret
from ..electorate.model import Member
from ..enroller.model import Token

BOOKS = "register.json"
LOCK = "register.lock"
LOCK_S = 2.0
"""Seconds that another process may have the books."""
Counted = dict[bytes, list[tuple[float, bytes]]]
"""What a quota has counted: by sponsor, when, and which key as which node."""


@dataclass(slots=True)
class Books:
    """Attributes:
    members: who is enrolled.
    signed: the newest epoch set; empty before the first.
    quotas: what each quota of the enroller's policy has counted, in the policy's order.
    tokens: by public key, those that were not used.
    """

    members: tuple[Member, ...] = ()
    signed: bytes = b""
    quotas: list[Counted] = field(default_factory=list[Counted])
    tokens: dict[bytes, Token] = field(default_factory=dict[bytes, Token])


@contextmanager
def open_books(enroller: Path) -> Generator[Books]:
    """The books in an enroller's folder, which are this process's alone meanwhile; what was changed is kept when the
    block ends without an error.

    Raises:
        ConfigurationError: they can't be read or kept. Busy: another process has them.
    """
    import fcntl

    try:
        lock = os.open(enroller / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigurationError(f"nothing can be kept in {enroller}: {error.strerror}") from None
    try:
        until = time.monotonic() + LOCK_S
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise Busy(f"another process has had {enroller / BOOKS} for {LOCK_S:g} s: try again") from None
                time.sleep(0.005)
        books = read_books(enroller)
        before = _told(books)
        yield books
        if (told := _told(books)) != before:
            write_secret(enroller / BOOKS, json.dumps(told) + "\n")
    finally:
        os.close(lock)


def read_books(enroller: Path) -> Books:
    """The books as they are now. Raises `ConfigurationError`."""
    path = enroller / BOOKS
    if not path.exists():
        return Books()
    try:
        return _read(json.loads(read_secret(path, "agentbus identity enroll --realm-dir makes one")))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigurationError(f"{path} is not what was written: put a copy back: it says whose names are") from None


def _told(books: Books) -> dict[str, Any]:
    return {
        "members": [
            {
                "key": _text(member.key),
                "node": member.node,
                "role": member.role,
                "issued_s": member.issued_s,
                "until_s": member.until_s,
                "sponsor": _text(member.sponsor),
                "votes_from_s": member.votes_from_s,
            }
            for member in books.members
        ],
        "signed": _text(books.signed),
        "quotas": [
            {_text(sponsor): [[at, _text(key)] for at, key in counted] for sponsor, counted in quota.items()}
            for quota in books.quotas
        ],
        "tokens": {
            _text(key): {
                "node": token.node,
                "role": token.role,
                "names": list(token.names),
                "jobs": list(token.jobs),
                "until_s": token.until_s,
            }
            for key, token in books.tokens.items()
        },
    }


def _read(told: Mapping[str, Any]) -> Books:
    return Books(
        members=tuple(
            Member(
                key=_bytes(each["key"]),
                node=str(each["node"]),
                role=str(each["role"]),
                issued_s=float(each["issued_s"]),
                until_s=float(each["until_s"]),
                sponsor=_bytes(each["sponsor"]),
                votes_from_s=None if each["votes_from_s"] is None else float(each["votes_from_s"]),
            )
            for each in told["members"]
        ),
        signed=_bytes(told["signed"]),
        quotas=[
            {_bytes(sponsor): [(float(at), _bytes(key)) for at, key in counted] for sponsor, counted in quota.items()}
            for quota in told["quotas"]
        ],
        tokens={
            _bytes(key): Token(
                node=str(each["node"]),
                role=str(each["role"]),
                names=tuple(map(str, each["names"])),
                jobs=tuple(map(str, each["jobs"])),
                until_s=float(each["until_s"]),
            )
            for key, each in told["tokens"].items()
        },
    )


def _text(value: bytes) -> str:
    return b64encode(value).decode()


def _bytes(text: str) -> bytes:
    return b64decode(text, validate=True)
