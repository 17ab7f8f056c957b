"""Commands, records and answers, to protobuf and back. What comes from the wire, or from a stream, is not trusted."""

from __future__ import annotations

from math import isfinite

from google.protobuf.message import DecodeError

from ...errors import EscrowRefused, SchemaMismatch
from ...wire.v1.escrow_pb2 import (
    EscrowAccount,
    EscrowAgain,
    EscrowAnswer,
    EscrowDispute,
    EscrowEntry,
    EscrowHead,
    EscrowHeld,
    EscrowHold,
    EscrowOpen,
    EscrowQuery,
    EscrowReceipt,
    EscrowRefund,
    EscrowRefusal,
    EscrowReply,
    EscrowRequest,
    EscrowResolve,
    EscrowSettle,
    EscrowTransfer,
    EscrowWriterReply,
    EscrowWriterRequest,
)
from ..model import Reason, Refusal
from .model import (
    HEAD,
    Account,
    Command,
    Damaged,
    Dispute,
    Entry,
    Head,
    Held,
    Hold,
    HoldState,
    Open,
    Receipt,
    Record,
    Refund,
    Resolve,
    Settle,
    Transfer,
    malformed,
)

__all__ = [
    "EscrowAgain",
    "EscrowAnswer",
    "EscrowQuery",
    "EscrowReply",
    "EscrowRequest",
    "EscrowWriterReply",
    "EscrowWriterRequest",
    "from_answer",
    "from_reply",
    "from_request",
    "read_record",
    "to_answer",
    "to_reply",
    "to_request",
    "write_record",
]

_REASONS = {str(reason): reason for reason in Reason}

# -- requests and replies ------------------------------------------------------------------------------------------


def to_request(ledger: str, transaction: str, command: Command) -> EscrowRequest:
    """A request to a ledger's writer. The command is not `malformed`: protobuf can spell it."""
    request = EscrowRequest(ledger=ledger, transaction=transaction)
    _write_command(request, command)
    return request


def from_request(request: EscrowRequest) -> Command:
    """What is asked for. Raises `SchemaMismatch`: nothing that this version knows."""
    command = _read_command(request)
    if command is None:
        raise SchemaMismatch(f"transaction {request.transaction!r}: a command that this ledger does not know")
    return command


def to_reply(outcome: Receipt | Refusal, ledger: str) -> EscrowReply:
    """What came of a command."""
    if isinstance(outcome, Refusal):
        refusal = EscrowRefusal(party=outcome.party, reason=str(outcome.reason), text=outcome.text)
        return EscrowReply(refusal=refusal)
    return EscrowReply(receipt=_receipt(outcome, ledger))


def from_reply(reply: EscrowReply) -> Receipt:
    """The receipt. Raises `EscrowRefused`; `SchemaMismatch`, when it is neither that nor a refusal."""
    if reply.HasField("refusal"):
        refusal = reply.refusal
        raise EscrowRefused(refusal.text, reason=_REASONS.get(refusal.reason, refusal.reason))
    receipt = _read_receipt(reply.receipt) if reply.HasField("receipt") else None
    if receipt is None:
        raise SchemaMismatch("a reply of a ledger that this version does not know")
    return receipt


def to_answer(record: Record | None, ledger: str) -> EscrowAnswer:
    """What a query has found."""
    match record:
        case Account():
            return EscrowAnswer(account=_account(record))
        case Held():
            return EscrowAnswer(hold=_held(record))
        case Receipt():
            return EscrowAnswer(receipt=_receipt(record, ledger))
        case _:
            return EscrowAnswer()


def from_answer(answer: EscrowAnswer) -> Account | Held | Receipt | None:
    """What a query has found; None: nothing."""
    match answer.WhichOneof("found"):
        case "account":
            return _read_account(answer.account)
        case "hold":
            return _read_held(answer.hold)
        case "receipt":
            return _read_receipt(answer.receipt)
        case _:
            return None


# -- records -------------------------------------------------------------------------------------------------------


def write_record(record: Record, ledger: str) -> bytes:
    """The bytes that are stored. Raises `TypeError` for what is damaged: it is not written."""
    match record:
        case Receipt():
            return _receipt(record, ledger).SerializeToString()
        case Account():
            return _account(record).SerializeToString()
        case Held():
            return _held(record).SerializeToString()
        case Head():
            return EscrowHead(
                token=record.token,
                writer=record.writer,
                issuer=record.issuer,
                batches=record.batches,
                transactions=record.transactions,
            ).SerializeToString()
        case Damaged():
            raise TypeError(f"{record} is not written")


def read_record(key: str, value: bytes) -> Record:
    """What bytes say that stand under a key; `Damaged`, with the reason, when that is nothing."""
    kind, _, name = key.partition(".")
    record: Record | None = None
    try:
        match kind:
            case "tx":
                record = _read_receipt(EscrowReceipt.FromString(value))
                matches = isinstance(record, Receipt) and record.transaction == name
            case "account":
                record = _read_account(EscrowAccount.FromString(value))
                matches = isinstance(record, Account) and record.name == name
            case "hold":
                record = _read_held(EscrowHeld.FromString(value))
                matches = isinstance(record, Held) and record.id == name
            case _:
                record = _read_head(EscrowHead.FromString(value)) if key == HEAD else None
                matches = True
    except DecodeError as error:
        return Damaged(f"{len(value)} bytes that can't be parsed: {error}")
    if record is None or not matches:
        return Damaged(f"{len(value)} bytes that say nothing of {key!r}")
    return record


def _account(account: Account) -> EscrowAccount:
    return EscrowAccount(name=account.name, owner=account.owner, balance=account.balance, issuer=account.issuer)


def _read_account(read: EscrowAccount) -> Account | None:
    if not read.owner or (read.balance < 0 and not read.issuer):
        return None
    return Account(name=read.name, owner=read.owner, balance=read.balance, issuer=read.issuer)


def _held(held: Held) -> EscrowHeld:
    return EscrowHeld(
        id=held.id,
        payer=held.payer,
        payee=held.payee,
        amount=held.amount,
        expires_s=held.expires_s,
        arbiter=held.arbiter,
        state=held.state.value,  # pyright: ignore[reportArgumentType]
        paid=held.paid,
        ended_by=held.ended_by,
    )


def _read_held(read: EscrowHeld) -> Held | None:
    try:
        state = HoldState(read.state)
    except ValueError:
        return None
    running = state in (HoldState.OPEN, HoldState.DISPUTED)
    if not (isfinite(read.expires_s) and 0 <= read.paid <= read.amount and read.amount > 0):
        return None
    if running == bool(read.ended_by) or not read.payer or not read.payee:
        return None
    return Held(
        id=read.id,
        payer=read.payer,
        payee=read.payee,
        amount=read.amount,
        expires_s=read.expires_s,
        arbiter=read.arbiter,
        state=state,
        paid=read.paid,
        ended_by=read.ended_by,
    )


def _receipt(receipt: Receipt, ledger: str) -> EscrowReceipt:
    written = EscrowReceipt(by=receipt.by, at_s=receipt.at_s, token=receipt.token)
    written.request.ledger = ledger
    written.request.transaction = receipt.transaction
    _write_command(written.request, receipt.command)
    for entry in receipt.entries:
        written.entries.add(account=entry.account, amount=entry.amount)
    return written


def _read_receipt(read: EscrowReceipt) -> Receipt | None:
    command = _read_command(read.request)
    if command is None or malformed(read.request.transaction, read.by, command) is not None:
        return None
    if not isfinite(read.at_s):
        return None
    return Receipt(
        transaction=read.request.transaction,
        by=read.by,
        command=command,
        entries=tuple(_entry(entry) for entry in read.entries),
        at_s=read.at_s,
        token=read.token,
    )


def _entry(read: EscrowEntry) -> Entry:
    return Entry(read.account, read.amount)


def _read_head(read: EscrowHead) -> Head | None:
    if not read.token or not read.writer:
        return None
    return Head(
        token=read.token,
        writer=read.writer,
        issuer=read.issuer,
        batches=read.batches,
        transactions=read.transactions,
    )


# -- commands ------------------------------------------------------------------------------------------------------


def _write_command(request: EscrowRequest, command: Command) -> None:
    match command:
        case Transfer(payer=payer, payee=payee, amount=amount):
            request.transfer.CopyFrom(EscrowTransfer(payer=payer, payee=payee, amount=amount))
        case Open(account=account):
            request.open.CopyFrom(EscrowOpen(account=account))
        case Hold(payer=payer, payee=payee, amount=amount, for_s=for_s, arbiter=arbiter):
            hold = EscrowHold(payer=payer, payee=payee, amount=amount, for_s=for_s, arbiter=arbiter)
            request.hold.CopyFrom(hold)
        case Settle(hold=name, amount=amount):
            request.settle.CopyFrom(EscrowSettle(hold=name, amount=amount))
        case Refund(hold=name):
            request.refund.CopyFrom(EscrowRefund(hold=name))
        case Dispute(hold=name):
            request.dispute.CopyFrom(EscrowDispute(hold=name))
        case Resolve(hold=name, amount=amount):
            request.resolve.CopyFrom(EscrowResolve(hold=name, amount=amount))


def _read_command(request: EscrowRequest) -> Command | None:
    match request.WhichOneof("command"):
        case "transfer":
            asked = request.transfer
            return Transfer(payer=asked.payer, payee=asked.payee, amount=asked.amount)
        case "open":
            return Open(account=request.open.account)
        case "hold":
            asked = request.hold
            return Hold(
                payer=asked.payer, payee=asked.payee, amount=asked.amount, for_s=asked.for_s, arbiter=asked.arbiter
            )
        case "settle":
            return Settle(hold=request.settle.hold, amount=request.settle.amount)
        case "refund":
            return Refund(hold=request.refund.hold)
        case "dispute":
            return Dispute(hold=request.dispute.hold)
        case "resolve":
            return Resolve(hold=request.resolve.hold, amount=request.resolve.amount)
        case _:
            return None
