"""``python -m bench.ledger``: how fast a log is written, verified and proved, and what an audit of it finds.

* ``rate``: records appended to a folder, each batch synced before it is acknowledged, tiles written, a checkpoint each
  second; how evenly checkpoints come at a steady rate, and cosigned ones; the same through the agent, from `Ledger.put`
  on; an audit of all of it; proofs from its files;
* ``edits``: every byte of a log of 1,000 records edited, one at a time;
* ``lies``: the log cut off at every size, records in another order, forks; against the checkpoint of two witnesses.

``--quick`` takes fewer of each. Exit status with ``--check``: 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import pairwise
from math import ceil, inf, log2
from pathlib import Path
from random import Random

from rich.console import Console
from rich.table import Table

from agentbus import Node
from agentbus.errors import Busy
from agentbus.ledger import (
    COSIGNATURE,
    Ed25519,
    Folder,
    Key,
    Kind,
    Ledger,
    Log,
    Reader,
    Record,
    Report,
    Rules,
    Witness,
    verify,
)
from agentbus.ledger.codec import write_record
from agentbus.ledger.merkle import leaf_hash, verify_inclusion
from agentbus.ledger.notes import cosign
from agentbus.ledger.tiles import encode_bundle
from agentbus.observability.logs import configure

from . import machine

RECORDS, QUICK_RECORDS = 1_000_000, 20_000
BATCH = 1024
PROOFS = 1000
EDITED = 1000
"""Records of the log that is tampered with."""
QUICK_STEP = 211
"""With ``--quick``, one byte of so many is edited."""
PAYLOAD = b"p" * 128
RATE, AGENT_RATE, PACE_S, PROOF_MS = 50_000.0, 20_000.0, 1.05, 5.0
PACED_S, TICK_S = 15, 0.01
"""Seconds of a steady rate, and from one lot of records to the next."""
LOG, WITNESSES = Ed25519("bench/log", bytes(32)), (Ed25519("bench/one", b"1" * 32), Ed25519("bench/two", b"2" * 32))
KEYS = [Key.of(LOG), *(Key.of(witness, COSIGNATURE) for witness in WITNESSES)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure. `bar`: what is asked, at least or (`most`) at most; None: told only."""

    group: str
    what: str
    value: float
    unit: str
    bar: float | None = None
    most: bool = False
    note: str = ""

    @property
    def missed(self) -> bool:
        """Whether the bar is missed."""
        if self.bar is None:
            return False
        return not (self.value <= self.bar if self.most else self.value >= self.bar)


def record(number: int) -> Record:
    """One like those of a node's messages."""
    return Record(
        at_us=1_700_000_000_000_000 + number,
        kind=Kind.RECEIVED,
        agent="till",
        node="node-1",
        peer="desk",
        subject="default.to.till.shop-Order",
        type="shop.Order",
        message_id=f"desk:1785000000000:{number}",
    )


# -- rate --------------------------------------------------------------------------------------------------------------


def rates(quick: bool) -> Iterator[Row]:
    """Appending, verifying, proving."""
    count = QUICK_RECORDS if quick else RECORDS
    place = Path(tempfile.mkdtemp(prefix="agentbus-ledger-"))
    try:
        entries = [write_record(record(number), 128, leaf_hash(PAYLOAD)) for number in range(count)]
        size = sum(map(len, entries)) / count
        cpu = time.process_time()
        seconds, sealed = asyncio.run(_append(place / "log", entries))
        cpu = 1e6 * (time.process_time() - cpu) / count
        note = f"{count} records of {size:.0f} bytes, {len(sealed)} checkpoints; {cpu:.1f} us of CPU each; "
        note += f"load {os.getloadavg()[0]:.1f}"
        yield Row(group="rate", what="append, durable", value=count / seconds, unit="records/s", bar=RATE, note=note)
        paced = entries[: int(RATE) * (2 if quick else PACED_S)]
        cpu = time.process_time()
        seconds, sealed = asyncio.run(_append(place / "paced", paced, rate=RATE))
        cpu = 1e6 * (time.process_time() - cpu) / len(paced)
        yield _gaps("append at 50,000 records/s", sealed[:-1], len(paced) / seconds, cpu, PACE_S)
        del entries, paced
        yield from _steadily(place / "steady", 2 if quick else PACED_S)
        cpu = time.process_time()
        seconds = asyncio.run(_through_the_agent(place / "agent", count))
        cpu = 1e6 * (time.process_time() - cpu) / count
        note = f"from a Record to the disk: digest, protobuf, tree; {cpu:.1f} us of CPU each"
        yield Row(group="rate", what="Ledger.put, durable", value=count / seconds, unit="records/s", note=note)
        began = time.perf_counter()
        report = verify(place / "log", KEYS[:1])
        seconds = time.perf_counter() - began
        whole = report.ok and report.checkpoint is not None and report.checkpoint.size == count
        note = f"in {seconds:.1f} s; load {os.getloadavg()[0]:.1f}"
        yield Row(group="rate", what="verify", value=count / seconds * whole, unit="records/s", bar=RATE, note=note)
        yield from _proofs(place / "log", count)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _gaps(what: str, at: Sequence[float], rate: float, cpu_us: float, bar: float | None) -> Row:
    gaps = sorted(later - earlier for earlier, later in pairwise([0.0, *at])) or [inf]
    note = f"greatest {gaps[-1]:.2f} s, of {len(gaps)}; {rate:,.0f} records/s came, {cpu_us:.1f} us of CPU each; "
    note += f"load {os.getloadavg()[0]:.1f}"
    what = f"{what}: from one to the next, median"
    return Row(group="rate", what=what, value=gaps[len(gaps) // 2], unit="s", bar=bar, most=True, note=note)


def _steadily(place: Path, seconds: int) -> Iterator[Row]:
    """The agent, fed at a steady rate, and its two witnesses."""
    cpu = time.process_time()
    count, took, sealed, witnessed = asyncio.run(_feed(place, seconds))
    cpu = 1e6 * (time.process_time() - cpu) / count
    yield _gaps(f"Ledger.put at {AGENT_RATE:,.0f} records/s", sealed, count / took, cpu, PACE_S)
    yield _gaps("the same, cosigned by two witnesses", witnessed, count / took, cpu, None)


async def _feed(place: Path, seconds: int) -> tuple[int, float, list[float], list[float]]:
    """Records, the seconds until the last was durable, and after how many checkpoints and cosigned ones were there, to
    10 ms."""
    one, two = (Witness(Folder(place / signer.name), signer, logs=[KEYS[0]]) for signer in WITNESSES)
    ledger = Ledger(
        Folder(place / "log"),
        LOG,
        witnesses=dict(zip(("one", "two"), KEYS[1:], strict=True)),
        rules=Rules(),
        hear=False,
    )
    sealed: list[tuple[str, float]] = [("", 0.0)]
    witnessed: list[tuple[str, float]] = [("", 0.0)]
    url, count, number = "memory://bench-steady", int(AGENT_RATE) * seconds, 0
    async with Node(url, agents={"one": one, "two": two}), Node(url, agents=[ledger]):
        began = time.perf_counter()
        while number < count:
            now = time.perf_counter() - began
            while number < min(count, int(AGENT_RATE * now)):
                with suppress(Busy):  # counted
                    ledger.put(record(number), PAYLOAD)
                number += 1
            for note, seen in ((ledger.log.note, sealed), (ledger.witnessed, witnessed)):
                if note is not None and note.text != seen[-1][0]:
                    seen.append((note.text, now))
            await asyncio.sleep(TICK_S)
        await ledger.durable()
        took = time.perf_counter() - began
    count -= ledger.lost
    return count, took, [at for _, at in sealed[1:]], [at for _, at in witnessed[1:]]


async def _append(folder: Path, entries: Sequence[bytes], rate: float = inf) -> tuple[float, list[float]]:
    """Seconds that it took, and after how many each checkpoint was there."""
    store = Folder(folder)
    await store.open()
    log = Log(store, LOG)
    await log.open()
    sealed: list[float] = []
    ended = asyncio.Event()

    async def seal_each_second() -> None:
        due = began + 1.0
        while not ended.is_set():
            try:
                async with asyncio.timeout(max(0.0, due - time.perf_counter())):
                    await ended.wait()
            except TimeoutError:
                await log.seal()
                due = max(due + 1.0, time.perf_counter())  # as `every` does
                sealed.append(time.perf_counter() - began)

    began = time.perf_counter()
    sealing = asyncio.create_task(seal_each_second())
    for first in range(0, len(entries), BATCH):
        await log.append(entries[first : first + BATCH])
        await asyncio.sleep(max(0.0, began + first / rate - time.perf_counter()))
    ended.set()
    await sealing
    await log.seal()
    seconds = time.perf_counter() - began
    await store.close()
    return seconds, [*sealed, seconds]


async def _through_the_agent(folder: Path, count: int) -> float:
    ledger = Ledger(Folder(folder), LOG, witnesses={}, rules=Rules(), hear=False)
    async with Node("memory://bench-ledger", agents=[ledger]):
        began = time.perf_counter()
        for number in range(count):
            ledger.put(record(number), PAYLOAD)
            if ledger.waiting > 32 * BATCH:
                await ledger.durable()
        await ledger.durable()
        return time.perf_counter() - began


def _proofs(folder: Path, count: int) -> Iterator[Row]:
    reader, rng = Reader(folder, count), Random(1)
    root = reader.root(count)
    took: list[float] = []
    longest, held = 0, True
    cpu = 0.0
    for _ in range(PROOFS):
        index = rng.randrange(count)
        cpu -= time.thread_time()
        began = time.perf_counter()
        proof = reader.prove_inclusion(index, count)
        took.append(1e3 * (time.perf_counter() - began))
        cpu += time.thread_time()
        longest = max(longest, len(proof))
        held = held and verify_inclusion(leaf_hash(reader.record(index)), index, count, proof, root)
    took.sort()
    note = f"p50 {took[PROOFS // 2]:.3f} ms, greatest {took[-1]:.3f} ms, {1e3 * cpu / PROOFS:.3f} ms of CPU; "
    note += f"of {count} records, from files; load {os.getloadavg()[0]:.1f}"
    p99 = took[PROOFS * 99 // 100] if held else float("inf")
    yield Row(group="rate", what="a proof, p99", value=p99, unit="ms", bar=PROOF_MS, most=True, note=note)
    most = ceil(log2(count))
    yield Row(
        group="rate", what="its hashes, at most", value=longest, unit="", bar=most, most=True, note="ceil(log2 n)"
    )


# -- tampering ---------------------------------------------------------------------------------------------------------


async def _write(folder: Path, entries: Sequence[bytes]) -> bytes:
    """A log, and its checkpoint as two witnesses hold it."""
    store = Folder(folder, sync=False)
    await store.open()
    log = Log(store, LOG)
    await log.open()
    await log.append(entries)
    note = await log.seal()
    await store.close()
    return bytes(note.plus([cosign(note, witness, 1) for witness in WITNESSES]))


def edits(quick: bool) -> Iterator[Row]:
    """Each byte of each file."""
    with tempfile.TemporaryDirectory(prefix="agentbus-ledger-") as place:
        folder, rng = Path(place) / "log", Random(2)
        short = [Record(at_us=number, kind=Kind.DONE, agent="till") for number in range(EDITED)]  # an audit an edit
        held = asyncio.run(_write(folder, [write_record(each) for each in short]))
        (folder / "witnessed").write_bytes(held)
        tried = found = 0
        for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "lock"):
            content = path.read_bytes()
            for at in range(0, len(content), QUICK_STEP if quick else 1):
                altered = bytearray(content)
                altered[at] ^= rng.randrange(1, 256)
                path.write_bytes(altered)
                tried += 1
                found += not verify(folder, KEYS).ok
            path.write_bytes(content)
        whole = verify(folder, KEYS).ok
        note = f"{found} of {tried}" if whole else "the log that nobody altered is not whole"
        yield Row(group="edits", what="single bytes, found", value=found / tried * whole, unit="", bar=1.0, note=note)


def lies(quick: bool) -> Iterator[Row]:
    """What a log's own key signs."""
    entries = [write_record(record(number)) for number in range(EDITED)]
    rng = Random(3)
    with tempfile.TemporaryDirectory(prefix="agentbus-ledger-") as place:
        held = asyncio.run(_write(Path(place) / "true", entries))

        def audited(nth: int, told: Sequence[bytes]) -> Report:
            folder = Path(place) / f"{nth}"
            asyncio.run(_write(folder, told))
            report = verify(folder, KEYS, [held])
            shutil.rmtree(folder)
            return report

        sizes = range(0, EDITED, 97 if quick else 1)
        found = sum(audited(size, entries[:size]).first_broken == size for size in sizes)
        note = f"{found} of {len(sizes)}, the first missing record named"
        yield Row(group="lies", what="cut off, found", value=found / len(sizes), unit="", bar=1.0, note=note)
        count = 10 if quick else 1000
        found = 0
        for nth in range(count):
            forged = list(entries)
            forged[rng.randrange(EDITED)] = b"forged"
            found += any("a fork" in finding.text for finding in audited(nth, forged).findings)
        note = f"{found} of {count}: a record replaced, all written and signed anew"
        yield Row(group="lies", what="forks, found", value=found / count, unit="", bar=1.0, note=note)
        found = sum(_swapped(Path(place) / "true", entries, rng) for _ in range(count))
        note = f"{found} of {count}: two records swapped, the first of them named"
        yield Row(group="lies", what="another order, found", value=found / count, unit="", bar=1.0, note=note)


def _swapped(folder: Path, entries: Sequence[bytes], rng: Random) -> bool:
    one, other = sorted(rng.sample(range(EDITED), 2))
    told = list(entries)
    told[one], told[other] = told[other], told[one]
    for number in {one // 256, other // 256}:
        part = told[number * 256 : (number + 1) * 256]
        name = f"{number:03}" if len(part) == 256 else f"{number:03}.p/{len(part)}"
        (folder / "tile" / "entries" / name).write_bytes(encode_bundle(part))
    report = verify(folder, KEYS[:1])
    for number in {one // 256, other // 256}:
        part = entries[number * 256 : (number + 1) * 256]
        name = f"{number:03}" if len(part) == 256 else f"{number:03}.p/{len(part)}"
        (folder / "tile" / "entries" / name).write_bytes(encode_bundle(part))
    return report.first_broken == one and {finding.index for finding in report.findings} == {one, other}


GROUPS: dict[str, Callable[[bool], Iterator[Row]]] = {"rate": rates, "edits": edits, "lies": lies}


# -- telling -----------------------------------------------------------------------------------------------------------


def show(console: Console, rows: Sequence[Row]) -> None:
    """Prints the table."""
    table = Table(title="ledger", title_justify="left")
    for column in ("group", "what", "value", "bar", "verdict", "note"):
        table.add_column(column, justify="right" if column in ("value", "bar") else "left")
    for row in rows:
        bar = "" if row.bar is None else f"{'<=' if row.most else '>='} {row.bar:,g}"
        verdict = "" if row.bar is None else "[bold red]missed[/]" if row.missed else "[green]met[/]"
        value = f"{row.value:,.0f}" if row.value >= 1000 else f"{row.value:.3g}"
        table.add_row(row.group, row.what, f"{value} {row.unit}".strip(), bar, verdict, row.note)
    console.print(table)


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command's words."""
    parser = argparse.ArgumentParser(prog="python -m bench.ledger", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", action="append", choices=list(GROUPS), help="this group; repeatable")
    parser.add_argument("--quick", action="store_true", help="fewer of each: a smoke test")
    parser.add_argument("--check", action="store_true", help="exit status 1 when a bar is missed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Measures, prints, writes. Returns 1 when a bar is missed and ``--check`` was given."""
    asked = arguments(argv)
    console = Console(width=None if sys.stdout.isatty() else 200)
    rows: list[Row] = []
    for name in asked.only or GROUPS:
        console.print(f"{name} ...", style="dim")
        rows.extend(GROUPS[name](asked.quick))
    show(console, rows)
    if asked.json:
        figures = [{**asdict(row), "missed": row.missed} for row in rows]
        asked.json.write_text(json.dumps({"about": machine.description(), "figures": figures}, indent=1) + "\n")
    return int(asked.check and any(row.missed for row in rows))


if __name__ == "__main__":
    configure("error")
    sys.exit(main())
