"""Answers, signed and verified; and who may approve what.

A signed answer is 64 bytes of Ed25519 signature, then the answer. Who may give one: whoever holds one of the keys that
the desk was given; or whose enrolment holds now, is of the role for it, and has the approval among its names.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from ...errors import ConfigurationError, Unauthorized
from ..enrolling import Issuers, verified_enrolment
from ..keys import KEY_BYTES, SIGNATURE_BYTES, KeyPair, key_of, public_nkey, verified
from ..model import Enrolment
from .codec import decode_answer, encode_answer
from .model import Answer

DOMAIN = b"agentbus approval v1\0"
ROLE = "approver"
"""The role of people who approve, unless the desk is told of another."""


def signed_answer(answer: Answer, pair: KeyPair) -> bytes:
    """The answer, signed by the person whose key pair it is."""
    body = encode_answer(answer)
    return pair.sign(DOMAIN + body) + body


def verified_answer(signed: bytes, key: bytes) -> Answer:
    """The answer, if that key has signed it. Raises `Unauthorized`."""
    body = signed[SIGNATURE_BYTES:]
    if not verified(key, DOMAIN + body, signed[:SIGNATURE_BYTES]):
        raise Unauthorized("an answer whose signature is not by the key that it comes with")
    return decode_answer(body)


class Approvers:
    """Who may approve.

    Args:
        keys: public NKEYs that may approve anything here.
        issuers: the realm's issuers, or what gives the present ones: an identity's, `Identity.issuers`, which follow
            when a role gets another signing key. An enrolment by the one of `role` may approve what its names say.
        role: of people who approve.

    Raises:
        ConfigurationError: nobody could approve anything, or a key is none.
    """

    def __init__(
        self, keys: Collection[str], issuers: Issuers | Callable[[], Issuers] | None = None, role: str = ROLE
    ) -> None:
        if isinstance(keys, str):
            raise ConfigurationError("approvers: give a list of public NKEYs, not one text")
        self._keys = frozenset(key_of(key) for key in keys)
        self._issuers = issuers if callable(issuers) else _always(issuers or {})
        self._role = role
        if not self._keys and role not in self._issuers().values():
            raise ConfigurationError(
                "nobody could approve anything: give approvers=[public NKEYs], or issuers= with one of the role "
                f"{role!r}; agentbus identity new makes a key"
            )

    def check(self, key: bytes, enrolment: bytes, approval: str, realm: str, now_s: float) -> str:
        """Who it is, if that person may approve that. Raises `Unauthorized`, which says why not.

        Args:
            key: the person's public key, 32 bytes.
            enrolment: signed, or empty.
            now_s: seconds since 1970.
        """
        if len(key) != KEY_BYTES:
            raise Unauthorized(f"a public key has {KEY_BYTES} bytes, not {len(key)}")
        public = public_nkey(key)
        if key in self._keys:
            return public
        if not enrolment:
            raise Unauthorized(f"{public} is none of the approvers of this desk, and shows no enrolment")
        person = verified_enrolment(enrolment, self._issuers(), realm, now_s)
        if person.key != key:
            raise Unauthorized(f"{public} shows the enrolment of another, {person.node!r}")
        if person.role != self._role:
            raise Unauthorized(f"{person.node!r} is enrolled as {person.role!r}, not as {self._role!r}")
        if not _names(person, approval):
            allowed = ", ".join(person.names) or "nothing"
            raise Unauthorized(f"{person.node!r} may approve {allowed}, not {approval!r}")
        return person.node


def _always(issuers: Issuers) -> Callable[[], Issuers]:
    return lambda: issuers


def _names(person: Enrolment, approval: str) -> bool:
    """Whether its names hold the approval's. Its own name does not count: it is nobody's to choose what it may."""
    return any(approval == name or (name.endswith("*") and approval.startswith(name[:-1])) for name in person.names)
