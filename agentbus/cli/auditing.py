"""A log's files as ``agentbus audit`` verifies, proves and shows them."""

from __future__ import annotations

import os
import time
from argparse import Namespace
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from agentbus.errors import ConfigurationError, LedgerInvalid
from agentbus.ledger import NOTE, Checkpoint, Key, Note, Reader, Record, Report, open_checkpoint, read_record, verify
from agentbus.ledger.contents import content_of
from agentbus.ledger.merkle import leaf_hash, verify_inclusion

from . import output
from .failures import UsageError, printable

COLUMNS = ("INDEX", "TIME", "KIND", "AGENT", "PEER", "TYPE", "SUBJECT", "BYTES", "PAYLOAD", "OUTCOME")
NUMBERS = ("INDEX", "BYTES")
FOLLOW_S = 0.5
"""Seconds between two looks at the checkpoint."""
LISTED = 20
"""Findings that people are shown."""
PAYLOAD = 40
"""Characters of a payload that a table shows."""


def verify_folder(arguments: Namespace) -> int:
    """Verifies; 1 when something is wrong."""
    keys = _keys(arguments.keys)
    folder = _folder(arguments)
    report = verify(folder, keys, [_content(name) for name in arguments.checkpoints], quorum=arguments.quorum)
    signed = any(key.kind == NOTE for key in keys)
    if arguments.json:
        output.record(_told(report, signed))
    else:
        for line in _lines(report, signed):
            output.line(printable(line))
    return 0 if report.ok else 1


def prove(arguments: Namespace) -> int:
    """Prints a proof, and verifies it; 1 when it does not hold."""
    note, checkpoint, reader = _open(arguments)
    index = arguments.index
    entry = reader.record(index)
    proof = reader.prove_inclusion(index, checkpoint.size)
    holds = verify_inclusion(leaf_hash(entry), index, checkpoint.size, proof, checkpoint.root)
    if arguments.json:
        output.record(
            {
                "index": index,
                "size": checkpoint.size,
                "entry": b64encode(entry).decode(),
                "leaf": leaf_hash(entry).hex(),
                "proof": [each.hex() for each in proof],
                "root": checkpoint.root.hex(),
                "checkpoint": bytes(note).decode(),
                "holds": holds,
            }
        )
    else:
        output.line(printable(f"record {index} of {checkpoint.size}, {checkpoint.origin}"))
        output.line(f"leaf  {leaf_hash(entry).hex()}")
        for each in proof:
            output.line(f"with  {each.hex()}")
        output.line(f"root  {checkpoint.root.hex()}")
        output.line(
            "the proof holds" if holds else "the proof does not hold: agentbus audit verify tells where it breaks"
        )
    return 0 if holds else 1


def show(arguments: Namespace) -> int:
    """Prints records from INDEX on, by default from the first."""
    _, _, reader = _open(arguments)
    first = arguments.index or 0
    _print(arguments, _some(reader, first, arguments.count), head=True)
    return 0


def tail(arguments: Namespace) -> int:
    """Prints the newest records; with ``--follow`` those that come."""
    _, checkpoint, reader = _open(arguments)
    first = max(0, checkpoint.size - arguments.count)
    _print(arguments, _some(reader, first, arguments.count), head=True)
    while arguments.follow:
        time.sleep(FOLLOW_S)
        first, (_, checkpoint, reader) = checkpoint.size, _open(arguments)
        _print(arguments, _some(reader, first, checkpoint.size - first), head=False)
    return 0


# -- reading -----------------------------------------------------------------------------------------------------------


def _open(arguments: Namespace) -> tuple[Note, Checkpoint, Reader]:
    folder = _folder(arguments)
    key = next((key for key in _keys(arguments.keys) if key.kind == NOTE), None)
    note, checkpoint = open_checkpoint(_content(str(folder / "checkpoint")), key)
    return note, checkpoint, Reader(folder, checkpoint.size)


def _folder(arguments: Namespace) -> Path:
    folder = Path(arguments.folder)
    if not folder.is_dir():
        raise UsageError(f"no folder {arguments.folder!r}")
    return folder


def _content(name: str) -> bytes:
    try:
        return content_of(Path(name))
    except OSError as error:
        raise ConfigurationError(f"{name}: {error.strerror}") from None


def _keys(words: Iterable[str]) -> list[Key]:
    """The keys that are given: each is one, or names a file of them."""
    keys: list[Key] = []
    for word in words:
        try:
            texts = _content(word).decode().splitlines() if os.path.isfile(word) else [word]
        except UnicodeDecodeError:
            raise ConfigurationError(f"{word}: not a file of keys: it is no text") from None
        keys.extend(Key.parse(text) for text in texts if text.strip() and not text.startswith("#"))
    return keys


def _some(reader: Reader, first: int, count: int) -> Iterator[tuple[int, Record]]:
    for index, entry in reader.records(first):
        if index >= first + count:
            return
        try:
            yield index, read_record(entry)
        except LedgerInvalid as error:
            output.note(f"record {index}: {error}")


# -- showing -----------------------------------------------------------------------------------------------------------


def _lines(report: Report, signed: bool) -> Iterator[str]:
    checkpoint = report.checkpoint
    if checkpoint is not None:
        yield f"{checkpoint.origin}: {checkpoint.size} records"
    if not signed:
        yield "signatures were not verified: give the log's key with --key"
    if report.witnessed:
        yield f"as witnesses have cosigned it at {report.witnessed} records"
    elif report.agreed:
        yield f"as a checkpoint says of {report.agreed} records; whose it is was not verified: give the witness's key"
    if report.pending:
        yield f"{report.pending} more are under no checkpoint yet"
    for finding in report.findings[:LISTED]:
        yield f"wrong: {finding.text}"
    if len(report.findings) > LISTED:
        yield f"wrong: and {len(report.findings) - LISTED} things more"
    if report.ok:
        yield "all is as it was logged"
    elif report.first_broken is not None:
        yield f"first broken record: {report.first_broken}"


def _told(report: Report, signed: bool) -> Mapping[str, Any]:
    checkpoint = report.checkpoint
    return {
        "ok": report.ok,
        "origin": checkpoint.origin if checkpoint else None,
        "size": checkpoint.size if checkpoint else None,
        "root": checkpoint.root.hex() if checkpoint else None,
        "signatures_verified": signed,
        "agreed": report.agreed,
        "witnessed": report.witnessed,
        "pending": report.pending,
        "first_broken": report.first_broken,
        "findings": [{"text": each.text, "index": each.index, "path": each.path} for each in report.findings],
    }


def _print(arguments: Namespace, records: Iterable[tuple[int, Record]], *, head: bool) -> None:
    if arguments.json:
        for index, record in records:
            output.record(_as_json(index, record))
        return
    rows = [_row(index, record) for index, record in records]
    if head:
        output.table(COLUMNS, rows, NUMBERS)
    else:
        for row in rows:
            output.line("  ".join(printable(cell) or "-" for cell in row))


def _row(index: int, record: Record) -> list[str]:
    return [
        f"{index}",
        _time(record.at_us).replace("T", " ").removesuffix("+00:00"),
        record.kind.value,
        record.agent,
        record.peer,
        record.type,
        record.subject,
        f"{record.size}" if record.size else "",
        _shown(record),
        record.outcome,
    ]


def _time(at_us: int) -> str:
    """As ISO 8601 has it; the number, when no calendar has it."""
    try:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)).isoformat(timespec="microseconds")
    except OverflowError:
        return f"{at_us} us"


def _shown(record: Record) -> str:
    if not record.payload:
        return f"sha256:{record.digest.hex()[:16]}" if record.digest else ""
    text = record.payload.decode("utf-8", "replace")
    shown = text if text.isprintable() else record.payload.hex()
    return shown if len(shown) <= PAYLOAD else f"{shown[: PAYLOAD - 1]}…"


def _as_json(index: int, record: Record) -> Mapping[str, Any]:
    return {
        "index": index,
        "time": _time(record.at_us),
        "kind": record.kind.value,
        "agent": record.agent,
        "node": record.node,
        "peer": record.peer,
        "subject": record.subject,
        "type": record.type,
        "message_id": record.message_id,
        "size": record.size,
        "digest": record.digest.hex(),
        "payload": b64encode(record.payload).decode(),
        "outcome": record.outcome,
    }
