"""Who has signed a frame that is looked at: verified as a node of the realm would, and told whatever comes of it.

Unlike a node, who looks on wants to see what is refused, too: the body of a frame is shown, and flagged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentbus.errors import SchemaMismatch, Unauthorized
from agentbus.messages import SEALED, decode_frame
from agentbus.security.codec import decode_enrolment
from agentbus.security.guard import Guard
from agentbus.security.keys import SIGNATURE_BYTES, public_nkey
from agentbus.security.signing import parsed

if TYPE_CHECKING:
    from agentbus.security.identity import Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What is known of who has sent something.

    Attributes:
        state: ``verified``, ``unsigned`` or ``refused``.
        why: why it was refused.
        node, role, key: whom a verified one is by.
    """

    state: str
    why: str = ""
    node: str = ""
    role: str = ""
    key: str = ""

    def as_json(self) -> dict[str, Any]:
        """What there is of it."""
        told = {"state": self.state, "why": self.why, "node": self.node, "role": self.role, "key": self.key}
        return {name: value for name, value in told.items() if value}

    def as_text(self) -> str:
        """On one line."""
        if self.state == "verified":
            return f"verified:{self.node}"
        return f"REFUSED ({self.why})" if self.why else self.state.upper()


UNSIGNED = Signature(state="unsigned")


class Onlooker:
    """Verifies what passes, with what an identity knows of its realm.

    Args:
        identity: whose.
    """

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._at_s = 0.0
        self._held = identity.credentials
        self._guard = self._made()

    def look(self, subject: str, body: bytes, reply: str, at_s: float) -> tuple[bytes, Signature]:
        """The frame within a sealed one, as far as there is one, and who has signed it.

        Args:
            at_s: when it came, seconds since 1970.
        """
        if body[:2] != SEALED:
            return body, UNSIGNED
        self._at_s = at_s
        if self._identity.credentials is not self._held:  # it was enrolled anew meanwhile, with newer issuers maybe
            self._held = self._identity.credentials
            self._guard = self._made()
        sealed = body[2:]
        inner = b""
        try:
            header, start = parsed(sealed)
            inner = sealed[start:]
            if header.durable:
                reply = ""  # that it came with is where the broker says that it has stored it
            _, opened = self._guard.open(sealed, subject=subject, reply=reply, ear="", durable=header.durable)
            frame = decode_frame(inner)
            names = {frame.source, *frame.sources}
            if (frame.source, frame.epoch) != (opened.source, opened.epoch) or not all(map(opened.speaks_as, names)):
                raise Unauthorized(f"a frame by {opened.source!r} says that it is by another")
            signer = decode_enrolment(header.enrolment[SIGNATURE_BYTES:])
        except (Unauthorized, SchemaMismatch) as error:
            return inner, Signature(state="refused", why=str(error))
        return inner, Signature(state="verified", node=signer.node, role=signer.role, key=public_nkey(signer.key))

    def _made(self) -> Guard:
        held = self._held
        realm = held.realm
        former = realm.former_issuers
        return Guard(held.pair, held.enrolment, realm.issuers, realm.realm, former=former, clock=lambda: self._at_s)
