"""What a tapped message says: frames opened, known types decoded, unknown ones as far as their bytes tell. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from agentbus.errors import SchemaMismatch
from agentbus.inbound import JSON_CONTENT, header
from agentbus.messages import PLAIN, SEALED, decode_frame
from agentbus.subjects import type_name
from agentbus.transport import Headers

from .wire_dump import Fields, fields_of

if TYPE_CHECKING:
    from .known_types import KnownTypes
    from .verifying import Signature

SHOWN_BYTES = 32
"""Of bytes that can't be decoded, so many are shown."""
_TYPE_AT = {"ev": 2, "log": 2, "dead": 2, "to": 3, "any": 2, "all": 2}
"""Which token of a subject is the type, by the subject's second token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One message that passed.

    Attributes:
        type: full protobuf name; empty when nothing says it.
        id: ``sender:epoch:sequence``; empty for a foreign client's.
        message: the JSON mapping, or the text; None when it can't be decoded.
        fields: of a type that is not known: number, kind and value of each field; None if the bytes are no message.
        note: why it was not decoded.
        body: the bytes of the message, without its frame.
        signature: what is known of who has sent it; None where nobody looked.
    """

    subject: str
    type: str
    source: str = ""
    id: str = ""
    time_us: int = 0
    reply: str = ""
    message: object = None
    fields: Fields | None = None
    note: str = ""
    body: bytes = b""
    headers: Mapping[str, str] | None = None
    signature: Signature | None = None

    def as_json(self) -> dict[str, Any]:
        """All of it that there is, for `json.dumps`."""
        said: dict[str, Any] = {"subject": self.subject, "type": self.type, "source": self.source, "id": self.id}
        said |= {"time_us": self.time_us, "reply": self.reply, "headers": dict(self.headers or {})}
        said = {key: value for key, value in said.items() if value or key in ("subject", "type")}
        said["bytes"] = len(self.body)
        if self.signature is not None:
            said["signature"] = self.signature.as_json()
        if self.note:
            said |= {"note": self.note, "hex": self.body[:SHOWN_BYTES].hex()}
            if self.fields is not None:
                said["fields"] = self.fields
        else:
            said["message"] = self.message
        return said

    def as_text(self) -> str:
        """What the message says, on one line."""
        if not self.note:
            return json.dumps(self.message, ensure_ascii=False)
        shown = self.body[:SHOWN_BYTES].hex() + ("…" if len(self.body) > SHOWN_BYTES else "")
        dump = " ".join(
            f"{number}:{value!r}" if kind == "text" else f"{number}:{value}"
            for number, kind, value in self.fields or ()
        )
        return f"({self.note}; {len(self.body)} bytes) {dump or shown}".rstrip()


def open_body(
    subject: str,
    body: bytes,
    reply: str,
    headers: Headers | None,
    known: KnownTypes,
    look: Callable[[str, bytes, str], tuple[bytes, Signature]] | None = None,
) -> list[Seen]:
    """The messages in what a subscriber got; never raises for what is wrong with them.

    Args:
        look: opens a sealed frame, given its subject, bytes and reply subject, and says who has signed it.
    """
    if look is None:
        return _opened(subject, body, reply, headers, known)
    inner, signature = look(subject, body, reply)
    if body[:2] == SEALED and inner:
        inner = PLAIN + inner
    elif body[:2] == SEALED:
        inner = body
    return [replace(seen, signature=signature) for seen in _opened(subject, inner, reply, headers, known)]


def _opened(subject: str, body: bytes, reply: str, headers: Headers | None, known: KnownTypes) -> list[Seen]:
    if body[:2] == SEALED:
        return [_undecoded(subject, "a sealed frame", body, reply=reply, headers=headers)]
    if body[:2] == PLAIN:
        return _frame(subject, body, reply, headers, known)
    if body[:1] == b"\x00":
        return [_undecoded(subject, "a frame of an unknown version", body, reply=reply, headers=headers)]
    return [_foreign(subject, body, reply, headers, known)]


def type_in(subject: str) -> str:
    """The type that a realm's subject says, or empty."""
    tokens = subject.split(".")
    at = _TYPE_AT.get(tokens[1], 0) if len(tokens) > 1 else 0
    return type_name(tokens[at]) if 0 < at < len(tokens) else ""


def _frame(subject: str, body: bytes, reply: str, headers: Headers | None, known: KnownTypes) -> list[Seen]:
    try:
        frame = decode_frame(body[2:])
    except SchemaMismatch as error:
        return [_undecoded(subject, str(error), body, reply=reply, headers=headers)]
    return [
        Seen(
            subject=subject,
            source=frame.source,
            id=str(frame.message_id(index)),
            time_us=frame.time_us,
            reply=reply,
            body=payload,
            headers=headers,
            **_decoded(frame.type, payload, known),
        )
        for index, payload in enumerate(frame.payloads)
    ]


def _foreign(subject: str, body: bytes, reply: str, headers: Headers | None, known: KnownTypes) -> Seen:
    kind = type_in(subject)
    declared = header(headers, "Content-Type").partition(";")[0].strip() == JSON_CONTENT if headers else False
    said: dict[str, Any] = {"type": kind}
    text = as_text(body)
    if declared or not known.get(kind):
        said |= {"message": text} if text is not None else _unknown(kind, body)
    else:
        said = _decoded(kind, body, known)
    return Seen(subject=subject, reply=reply, body=body, headers=headers, **said)


def _decoded(kind: str, payload: bytes, known: KnownTypes) -> dict[str, Any]:
    if known.get(kind) is None:
        return _unknown(kind, payload)
    try:
        return {"type": kind, "message": known.read(kind, payload)}
    except SchemaMismatch as error:
        return {**_unknown(kind, payload), "note": str(error)}


def _unknown(kind: str, payload: bytes) -> dict[str, Any]:
    note = f"type {kind} is not known here" if kind else "of no known type"
    return {"type": kind, "note": note, "fields": fields_of(payload)}


def _undecoded(subject: str, note: str, body: bytes, *, reply: str, headers: Headers | None) -> Seen:
    return Seen(subject=subject, type="", note=note, body=body, reply=reply, headers=headers)


def as_text(body: bytes) -> object:
    """The value of a JSON text, or the text itself; None for bytes that are neither."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    try:
        return cast("object", json.loads(text, parse_constant=str))
    except (ValueError, RecursionError):
        return text if all(c.isprintable() or c.isspace() for c in text) else None
