"""Calls that wait for a person, as ``agentbus approve`` shows and answers them.

What is signed is worked out from what was shown: a desk's own word for what a request is does not count.
"""

from __future__ import annotations

import hashlib
import time
from argparse import Namespace
from pathlib import Path
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError, Message

from agentbus.errors import ConfigurationError, DeadlineExceeded, NoResponders, Refused, SchemaMismatch, revive
from agentbus.messages import full_name
from agentbus.security import KeyPair
from agentbus.security.approvals import (
    AnswerReply,
    AnswerRequest,
    WaitingCall,
    WaitingReply,
    WaitingRequest,
    answer_to,
    signed_answer,
)
from agentbus.subjects import Subjects

from . import output
from .decoding import Seen
from .failures import UsageError
from .known_types import KnownTypes, load_types
from .link import Link, linked
from .wire_dump import fields_of

COLUMNS = ("ID", "APPROVAL", "CALL", "NODE", "ASKED BY", "LEFT", "REQUEST")
ANSWER_COLUMNS = ("ID", "ANSWER", "APPROVAL", "CALL", "NODE", "ASKED BY", "REQUEST")
NUMBERS = ("LEFT",)


class _Waiting(NamedTuple):
    """A call, and the desk that told of it."""

    desk: WaitingReply
    call: WaitingCall


async def show(arguments: Namespace) -> None:
    """Shows what waits, or one call. Raises `NoResponders` where there is no desk, `Refused` for no such call."""
    known = load_types(arguments.modules, arguments.descriptors, arguments.proto)
    async with linked(arguments.url, arguments.realm, arguments.identity) as link:
        desks = await _ask(link, arguments, arguments.id)
        if arguments.id:
            _one(desks, arguments.id)  # raises, when it is none
    waiting = sorted(
        (_Waiting(desk, call) for desk in desks for call in desk.calls), key=lambda each: each.call.remaining_ms
    )
    if arguments.json:
        for each in waiting:
            output.record(_as_json(each, known))
    else:
        rows = [[*_row(each), f"{each.call.remaining_ms / 1000:.0f} s", _text(each.call, known)] for each in waiting]
        output.table(COLUMNS, rows, NUMBERS)
    for desk in desks:
        if desk.more:
            output.note(f"{desk.more} more wait at node {desk.node}, too many to be shown at once")


async def answer(arguments: Namespace) -> None:
    """Answers one call. Raises `Refused`, `Unauthorized` when that does not count, and why."""
    pair, enrolment = _person(arguments)
    known = load_types(arguments.modules, arguments.descriptors, arguments.proto)
    async with linked(arguments.url, arguments.realm, arguments.identity) as link:
        each = _one(await _ask(link, arguments, arguments.id), arguments.id)
        signed = signed_answer(
            answer_to(
                each.desk,
                each.call,
                approved=arguments.what == "yes",
                reason=arguments.reason,
                at_us=int(time.time() * 1e6),
                payload_sha256=hashlib.sha256(each.call.payload).digest(),
            ),
            pair,
        )
        request = AnswerRequest(signed=signed, key=pair.key, enrolment=enrolment)
        subject = Subjects(arguments.realm).all(full_name(AnswerRequest))
        bodies = await link.collect(subject, request.SerializeToString(), timeout_s=arguments.timeout)
    replies = [reply for body in bodies if (reply := _parsed(AnswerReply, body)) is not None and reply.here]
    reply = next((reply for reply in replies if reply.node == each.desk.node), None)
    if reply is None:
        raise DeadlineExceeded(
            f"node {each.desk.node!r} has not answered: see with agentbus approve ls whether it waits"
        )
    if reply.error:
        raise revive(reply.error, reply.text, "")
    if arguments.json:
        output.record({**_as_json(each, known), "answer": arguments.what, "by": pair.public})
    else:
        id, *rest = _row(each)  # noqa: A001 - as everywhere here
        output.table(ANSWER_COLUMNS, [[id, arguments.what, *rest, _text(each.call, known)]])


def _person(arguments: Namespace) -> tuple[KeyPair, bytes]:
    """Who answers: the key, and its enrolment or nothing. Raises `ConfigurationError`."""
    pair = KeyPair.load(arguments.key) if arguments.key else KeyPair.from_environment()
    if pair is None and arguments.identity is not None:
        held = arguments.identity.credentials
        return held.pair, held.enrolment
    if pair is None:
        raise UsageError("sign with which key? Say --key FILE, or set AGENTBUS_SEED; agentbus identity new makes one")
    if not arguments.enrolment:
        return pair, b""
    try:
        return pair, Path(arguments.enrolment).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"no enrolment in {arguments.enrolment}: {error.strerror}") from None


async def _ask(link: Link, arguments: Namespace, id: str) -> list[WaitingReply]:  # noqa: A002
    subject = Subjects(arguments.realm).all(full_name(WaitingRequest))
    request = WaitingRequest(id=id).SerializeToString()
    bodies = await link.collect(subject, request, timeout_s=arguments.timeout)
    desks = [desk for body in bodies if (desk := _parsed(WaitingReply, body)) is not None and desk.node]
    if not desks:
        text = f"no node of realm {arguments.realm!r} has a desk for approvals: does one host Approvals?"
        raise NoResponders(text)
    return sorted(desks, key=lambda desk: desk.node)


def _one(desks: list[WaitingReply], id: str) -> _Waiting:  # noqa: A002
    """The call of that number. Raises `Refused` when there is none, or what is told of it differs."""
    found = [_Waiting(desk, call) for desk in desks for call in desk.calls if call.id == id]
    if not found:
        raise Refused(f"no call {id!r} waits: it was decided, or its time is over; agentbus approve ls shows what does")
    if len(found) > 1:
        nodes = ", ".join(each.desk.node for each in found)
        raise Refused(f"call {id!r}: several desks claim it ({nodes}): one of them lies, so nothing was signed")
    if len(found[0].call.payload) != found[0].call.payload_size:
        raise Refused(f"call {id!r}: its request was not told whole, so nothing was signed")
    return found[0]


def _parsed(kind: type[Any], body: bytes) -> Any:
    """The message; None for what is none: others may speak on the subject."""
    try:
        return kind.FromString(body)
    except DecodeError:
        return None


def _row(each: _Waiting) -> list[str]:
    call = each.call
    return [call.id, call.approval, f"{call.agent}.{call.behavior}", each.desk.node, call.sender or "(foreign)"]


def _as_json(each: _Waiting, known: KnownTypes) -> dict[str, Any]:
    call = each.call
    return {
        "id": call.id,
        "approval": call.approval,
        "agent": call.agent,
        "behavior": call.behavior,
        "node": each.desk.node,
        "sender": call.sender,
        "message_id": call.message_id,
        "remaining_s": call.remaining_ms / 1000,
        "type": call.type,
        "request": _seen(call, known).as_json() if call.payload or not call.payload_size else None,
    }


def _text(call: WaitingCall, known: KnownTypes) -> str:
    if call.payload_size and not call.payload:
        return f"({call.type}, {call.payload_size} bytes: agentbus approve ls {call.id} shows it)"
    return _seen(call, known).as_text()


def _seen(call: WaitingCall, known: KnownTypes) -> Seen:
    """The request as JSON, where all of it is known here; else its fields by number."""
    kind = known.get(call.type)
    if kind is None:
        note = f"type {call.type} is not known here"
    elif not _whole(kind, call.payload):
        note = f"it has fields that the {call.type} known here has not"
    else:
        try:
            return Seen(subject="", type=call.type, message=known.read(call.type, call.payload), body=call.payload)
        except SchemaMismatch as error:
            note = str(error)
    return Seen(subject="", type=call.type, note=note, fields=fields_of(call.payload), body=call.payload)


def _whole(kind: type[Message], payload: bytes) -> bool:
    """Whether the type says all that is in there: an agent with a newer one would see more than is shown here."""
    try:
        message = kind.FromString(payload)
    except DecodeError:
        return True  # nothing is read of it, which is told
    size = message.ByteSize()
    message.DiscardUnknownFields()
    return message.ByteSize() == size
