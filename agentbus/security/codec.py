"""Enrolments, spelled: the room's one reader of its wire code."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from ..errors import SubjectError, Unauthorized
from ..subjects import check_name
from ..wire.v1 import security_pb2
from .keys import KEY_BYTES
from .model import Enrolment

MAX_BYTES = 4096
MAX_NAMES = 64


def encode_enrolment(enrolment: Enrolment) -> bytes:
    """The bytes that are signed."""
    return security_pb2.Enrolment(
        key=enrolment.key,
        realm=enrolment.realm,
        node=enrolment.node,
        names=enrolment.names,
        jobs=enrolment.jobs,
        role=enrolment.role,
        issued_s=enrolment.issued_s,
        expires_s=enrolment.expires_s,
        issuer=enrolment.issuer,
    ).SerializeToString(deterministic=True)


def decode_enrolment(body: bytes) -> Enrolment:
    """The enrolment. Raises `Unauthorized` when the bytes are none."""
    if len(body) > MAX_BYTES:
        raise Unauthorized(f"an enrolment of {len(body)} bytes: at most {MAX_BYTES}")
    try:
        message = security_pb2.Enrolment.FromString(body)
        realm, node, role = (
            check_name(message.realm, "realm"),
            check_name(message.node, "node"),
            check_name(message.role, "role"),
        )
        names = tuple(message.names)
        for name in names:
            check_name(name.removesuffix("*") or "x", "agent")
        jobs = tuple(check_name(job, "job") for job in message.jobs)
    except (DecodeError, SubjectError) as error:
        raise Unauthorized(f"not an enrolment: {error}") from None
    if len(message.key) != KEY_BYTES or len(message.issuer) != KEY_BYTES or len(names) > MAX_NAMES:
        raise Unauthorized(
            f"not an enrolment: its keys have {KEY_BYTES} bytes, and it names {MAX_NAMES} agents at most"
        )
    return Enrolment(
        key=message.key,
        realm=realm,
        node=node,
        names=names,
        jobs=jobs,
        role=role,
        issued_s=message.issued_s,
        expires_s=message.expires_s,
        issuer=message.issuer,
    )
