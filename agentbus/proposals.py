"""The contract net's messages, spelled: values to protobuf and back. The hall's one reader of their wire code."""

from __future__ import annotations

from typing import NamedTuple

from google.protobuf.message import DecodeError, Message

from .awards import Bid, Ranked
from .errors import SubjectError
from .messages import full_name
from .negotiation import Terms, invalid
from .subjects import check_length, check_name
from .wire.v1.negotiation_pb2 import Award, CallForProposals, Cancellation, Proposal, Rejection, Subcontracted

__all__ = [
    "AWARD",
    "CALL",
    "CANCELLATION",
    "PROPOSAL",
    "REJECTION",
    "SUBCONTRACTED",
    "Award",
    "CallForProposals",
    "Called",
    "Cancellation",
    "Closed",
    "Proposal",
    "Rejection",
    "Subcontracted",
    "award",
    "bid_of",
    "call",
    "call_of",
    "proposal",
    "rejection",
    "rejection_of",
    "subcontracted",
]

CALL: str = full_name(CallForProposals)
PROPOSAL: str = full_name(Proposal)
AWARD: str = full_name(Award)
REJECTION: str = full_name(Rejection)
CANCELLATION: str = full_name(Cancellation)
SUBCONTRACTED: str = full_name(Subcontracted)


class Called(NamedTuple):
    """A call for proposals as it came; `broken` says why it can't be read, `result` what is to come back."""

    job: bytes
    terms: Terms
    result: str = ""
    broken: str = ""


class Closed(NamedTuple):
    """The number of a call that is over, and what the job went for."""

    call: int
    price: float | None


def call(job: bytes, terms: Terms, result: str) -> CallForProposals:
    """A call for proposals."""
    value, team, second_price, again = terms
    message = CallForProposals(job=job, result=result)  # what is left out is as it would be said
    if value is not None:
        message.value = value
    if team:
        message.team = team
    if second_price:
        message.second_price = True
    if again:
        message.again = True
    return message


def call_of(payload: bytes) -> Called:
    """What a call says."""
    try:
        message = CallForProposals.FromString(payload)
        if message.team:
            check_name(check_length(message.team, "the team's name"), "the team's name")
    except (DecodeError, SubjectError) as error:
        return Called(b"", Terms(), broken=str(error))
    value = message.value if message.HasField("value") else None
    return Called(message.job, Terms(value, message.team, message.second_price, message.again), message.result)


def rejection_of(payload: bytes) -> Closed:
    """What a rejection says; of no call when it can't be read, and without a price that is none."""
    try:
        message = Rejection.FromString(payload)
    except DecodeError:
        return Closed(-1, None)
    told = message.HasField("price") and not invalid("the price", message.price)
    return Closed(message.call, message.price if told else None)


def bid_of(bidder: str, payload: bytes) -> Bid:
    """A bid. Raises `google.protobuf.message.DecodeError`."""
    message = Proposal.FromString(payload)
    return Bid(bidder, message.bid, message.weight)


def proposal(bid: float, weight: float) -> Proposal:
    """A bid."""
    message = Proposal()
    message.bid = bid
    message.weight = weight
    return message


def award(number: int, ranked: Ranked) -> Award:
    """To the winner of call `number`."""
    return Award(call=number, price=ranked.price, payment=ranked.payment)


def rejection(number: int, price: float | None) -> Message:
    """To who has not won call `number`."""
    return Rejection(call=number) if price is None else Rejection(call=number, price=price)


def subcontracted(result: Message, payment: float, by: str) -> Subcontracted:
    """A winner's answer, when another has done the job for it."""
    return Subcontracted(result=result.SerializeToString(), type=full_name(result), payment=payment, by=by)
