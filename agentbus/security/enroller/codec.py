"""Requests to be enrolled and their answers, spelled: the room's one reader of their wire code."""

from __future__ import annotations

import json

from google.protobuf.message import DecodeError

from ...errors import ConfigurationError, Unauthorized
from ...wire.v1.enrolling_pb2 import EnrolmentGrant, EnrolmentRequest, EnrolmentWish
from ..credentials import RealmFile
from ..keys import KEY_BYTES, KeyPair
from ..realm.issuing import Issued, Wanted
from .model import NONCE_BYTES, Request, Wish

__all__ = ["EnrolmentGrant", "EnrolmentRequest", "decode_grant", "decode_request", "encode_grant", "encode_request"]

DOMAIN = b"agentbus enrolment wish v1\0"
MAX_BYTES = 8192


def encode_wish(wish: Wish) -> bytes:
    """The bytes that are signed, behind `DOMAIN`."""
    wanted = wish.wanted
    return EnrolmentWish(
        key=wanted.key,
        realm=wish.realm,
        node=wanted.node,
        names=wanted.names,
        jobs=wanted.jobs,
        role=wanted.role,
        asked_s=wish.asked_s,
        valid_s=wish.valid_s,
        nonce=wish.nonce,
    ).SerializeToString(deterministic=True)


def encode_request(
    wish: Wish, pair: KeyPair, admission: str, proof: bytes, former: KeyPair | None = None
) -> EnrolmentRequest:
    """The request, signed by the wish's key, and by the key that is given up if there is one."""
    body = encode_wish(wish)
    return EnrolmentRequest(
        wish=body,
        signature=pair.sign(DOMAIN + body),
        admission=admission,
        proof=proof,
        former_signature=former.sign(DOMAIN + body) if former is not None else b"",
    )


def decode_request(message: EnrolmentRequest) -> Request:
    """The request, read and not believed. Raises `Unauthorized` when it is none."""
    if len(message.wish) + len(message.proof) > MAX_BYTES:
        raise Unauthorized(f"a request to be enrolled has {MAX_BYTES} bytes at most")
    try:
        told = EnrolmentWish.FromString(message.wish)
        if len(told.key) != KEY_BYTES or len(told.nonce) != NONCE_BYTES:
            raise Unauthorized("not a request to be enrolled: its key or its nonce is of another length")
        wanted = Wanted(key=told.key, node=told.node, role=told.role, names=tuple(told.names), jobs=tuple(told.jobs))
    except (DecodeError, ConfigurationError) as error:
        raise Unauthorized(f"not a request to be enrolled: {error}") from None
    wish = Wish(wanted=wanted, realm=told.realm, asked_s=told.asked_s, valid_s=told.valid_s, nonce=told.nonce)
    return Request(
        wish=wish,
        body=message.wish,
        signature=message.signature,
        admission=message.admission,
        proof=message.proof,
        former_signature=message.former_signature,
    )


def encode_grant(issued: Issued, realm: RealmFile, account_jwt: str) -> EnrolmentGrant:
    """What was issued; the account, as its operator has signed it, says for the realm who may issue."""
    told = {**realm.as_json(), "account_jwt": account_jwt}
    return EnrolmentGrant(jwt=issued.jwt, enrolment=issued.enrolment, realm=json.dumps(told))


def decode_grant(message: EnrolmentGrant) -> tuple[Issued, RealmFile, str]:
    """What was issued, the realm, and its account's JWT, read and not believed. Raises `Unauthorized`."""
    try:
        told = json.loads(message.realm)
        realm = RealmFile.of_json(told)
    except (ValueError, ConfigurationError, RecursionError) as error:
        raise Unauthorized(f"not what an enroller answers: {error}") from None
    return Issued(jwt=message.jwt, enrolment=message.enrolment), realm, str(told.get("account_jwt", ""))
