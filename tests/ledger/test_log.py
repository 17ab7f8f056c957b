"""Logs in folders and buckets: what was acknowledged stays, whatever ends the process, and nobody else writes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentbus import Node
from agentbus.errors import LedgerInvalid, StorageFailed
from agentbus.ledger import Ed25519, Folder, InBucket, Log, Reader, verify
from agentbus.ledger.disk import Disk
from agentbus.ledger.merkle import leaf_hash, root_of, verify_consistency, verify_inclusion
from agentbus.ledger.store import Store
from agentbus.testing import Simulation
from tests.ledger.logs import LOG, LOG_KEY, entries, write, written

ROOT = Path(__file__).parents[2]


def read(folder: Path, size: int) -> list[bytes]:
    return [entry for _, entry in Reader(folder, size).records()]


async def reopened(folder: Path) -> Log:
    """The log as a new process finds it, sealed and closed again."""
    return await written(folder, [[]])


# -- killed --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("acknowledged", [1, 5, 23])
def test_what_was_acknowledged_survives_kill_9(tmp_path: Path, acknowledged: int) -> None:
    folder = tmp_path / "log"
    command = [sys.executable, "-m", "tests.ledger.writer", str(folder)]
    total = 0
    for _ in range(2):  # the second takes up what the first has left
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True
        )
        assert process.stdout is not None
        for _ in range(acknowledged):
            total = int(process.stdout.readline())
        process.kill()
        rest = process.stdout.read().split()
        process.stdout.close()
        process.wait(10)
        total = max([total, *map(int, rest)])
        log = asyncio.run(reopened(folder))
        assert log.size >= total
        assert read(folder, log.size) == [b"record %d" % number for number in range(log.size)]
        assert verify(folder, [LOG_KEY]).ok
        total = log.size


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_a_journal_that_was_torn_at_any_byte_gives_its_whole_batches(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("torn") / "log"
    batches = [entries(5), entries(3, 5), entries(4, 8)]
    write(folder, *batches, sealed=False)
    (journal,) = (folder / "journal").iterdir()
    content = journal.read_bytes()
    ends = [sum(8 + sum(2 + len(entry) for entry in batch) for batch in batches[:n]) for n in range(4)]
    assert ends[-1] == len(content)
    cut = data.draw(st.integers(0, len(content)))
    garbage = data.draw(st.binary(max_size=20))
    journal.write_bytes(content[:cut] + (garbage if cut < len(content) else b""))
    whole = sum(len(batch) for batch, end in zip(batches, ends[1:], strict=True) if end <= cut)
    log = asyncio.run(reopened(folder))
    assert log.size >= whole  # garbage may be what was torn off
    assert read(folder, log.size)[:whole] == entries(whole)
    assert verify(folder, [LOG_KEY]).ok


def test_a_journal_that_was_altered_is_not_mended(tmp_path: Path) -> None:
    """A write that was under way is at the end. What is followed by more was acknowledged."""
    folder = tmp_path / "log"
    write(folder, entries(5), entries(3, 5), entries(4, 8), sealed=False)
    (journal,) = (folder / "journal").iterdir()
    content = journal.read_bytes()
    end = 8 + sum(2 + len(entry) for entry in entries(5))
    for at in range(end):  # the first batch, its head included
        altered = bytearray(content)
        altered[at] ^= 255
        journal.write_bytes(altered)
        with pytest.raises(LedgerInvalid, match="altered at record 0") as caught:
            asyncio.run(reopened(folder))
        assert caught.value.index == 0
    assert journal.stat().st_size == len(content)


def test_a_checkpoint_that_was_being_written_is_written_again(tmp_path: Path) -> None:
    """Tiles of the next one are there already, the journal is, too; only the checkpoint is the old one."""
    folder = tmp_path / "log"
    write(folder, entries(300))
    old = (folder / "checkpoint").read_bytes()
    write(folder, entries(400, 300), sealed=False)
    journal = {path: path.read_bytes() for path in (folder / "journal").iterdir()}
    write(folder, [])
    (folder / "checkpoint").write_bytes(old)
    for path, content in journal.items():
        path.write_bytes(content)
    (folder / "tile/0/000.new").write_bytes(b"half a ti")
    report = verify(folder, [LOG_KEY])
    assert (report.ok, report.pending) == (True, 400)
    log = asyncio.run(reopened(folder))
    assert log.size == 700
    assert read(folder, 700) == entries(700)
    assert verify(folder, [LOG_KEY]).ok
    assert [path.name for path in (folder / "tile/0").glob("*.p/*")] == ["188"]


@pytest.mark.parametrize("name", ["tile/0/002.p/88", "tile/1/000.p/2"])
@pytest.mark.parametrize("damage", ["torn", "altered", "empty", "missing"])
def test_tiles_that_are_not_whole_are_made_anew_of_the_records(tmp_path: Path, name: str, damage: str) -> None:
    folder = tmp_path / "log"
    write(folder, entries(600))
    content = (folder / name).read_bytes()
    if damage == "missing":
        (folder / name).unlink()
    else:
        (folder / name).write_bytes({"torn": content[:-9], "altered": content[:-1] + b"\0", "empty": b""}[damage])
    log = asyncio.run(written(folder, [entries(5, 600)]))
    assert (log.size, log.mended) == (605, True)
    assert verify(folder, [LOG_KEY]).findings == ()
    assert read(folder, 605) == entries(605)


@pytest.mark.parametrize("name", ["tile/entries/001", "tile/entries/002.p/88"])
def test_a_log_does_not_open_over_records_that_are_not_its_own(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "log"
    write(folder, entries(600))
    bundle, tile = folder / name, folder / "tile/0/002.p/88"
    content, hashes = bundle.read_bytes(), tile.read_bytes()
    if name.endswith(".p/88"):  # the others are looked at by audits, and when a tile has to be made anew
        bundle.write_bytes(content[:-1] + b"\0")
        with pytest.raises(LedgerInvalid, match="not those of the checkpoint"):
            asyncio.run(reopened(folder))
        assert tile.read_bytes() == hashes
    tile.unlink()
    for damaged in (content[:-1] + b"\0", content[:-30], b""):
        bundle.write_bytes(damaged)
        with pytest.raises(LedgerInvalid):
            asyncio.run(reopened(folder))
    bundle.unlink()
    with pytest.raises(LedgerInvalid, match="missing"):
        asyncio.run(reopened(folder))
    bundle.write_bytes(content)
    assert asyncio.run(reopened(folder)).mended
    assert tile.read_bytes() == hashes


def test_a_log_does_not_open_with_another_key(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    write(folder, entries(3))

    async def with_another_key() -> None:
        store = Folder(folder)
        await store.open()
        try:
            await Log(store, Ed25519(LOG.name)).open()
        finally:
            await store.close()

    with pytest.raises(LedgerInvalid, match="not signed"):
        asyncio.run(with_another_key())


def test_a_log_that_is_being_written_is_audited(tmp_path: Path) -> None:
    """Files are replaced and the journal is dropped meanwhile: none of that is a finding."""
    folder = tmp_path / "log"
    command = [sys.executable, "-m", "tests.ledger.writer", str(folder)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True
    ) as process:
        try:
            assert process.stdout is not None
            sizes: list[int] = []
            while len(set(sizes)) < 6:
                for _ in range(3):
                    process.stdout.readline()
                if (folder / "checkpoint").exists():
                    report = verify(folder, [LOG_KEY])
                    assert report.findings == ()
                    assert report.checkpoint is not None
                    sizes.append(report.checkpoint.size)
        finally:
            process.kill()


# -- one writer, a full disk ----------------------------------------------------------------------------------------


async def test_a_folder_has_one_writer(tmp_path: Path) -> None:
    first, second = Folder(tmp_path / "log"), Folder(tmp_path / "log")
    await first.open()
    with pytest.raises(LedgerInvalid, match="one writer"):
        await second.open()
    await first.close()
    await second.open()
    await second.close()


async def test_what_a_full_disk_refused_is_not_in_the_log_and_may_be_tried_again(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    store = Folder(folder)
    await store.open()
    log = Log(store, LOG)
    await log.open()
    await log.append(entries(3))
    journal = folder / "journal" / f"{0:020}"
    limit = journal.stat().st_size + 30
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    import signal

    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(StorageFailed, match="too large"):
            await log.append([b"x" * 100, b"y"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert log.size == 3
    assert journal.stat().st_size == limit, "half a record is there"
    assert await log.append([b"x" * 100, b"y"]) == 3
    await log.seal()
    await store.close()
    assert read(folder, 5) == [*entries(3), b"x" * 100, b"y"]
    assert verify(folder, [LOG_KEY]).ok


async def test_a_record_that_is_too_long_is_refused(tmp_path: Path) -> None:
    store = Folder(tmp_path / "log")
    await store.open()
    log = Log(store, LOG)
    await log.open()
    with pytest.raises(LedgerInvalid, match="65535 are allowed"):
        await log.append([b"x" * 65_536])
    assert await log.append([b"x" * 65_535]) == 0
    await store.close()


async def test_tiles_are_written_as_they_are_filled(tmp_path: Path) -> None:
    """So that a checkpoint has little left to write, however many records came since the last."""
    folder = tmp_path / "log"
    store = Folder(folder)
    await store.open()
    log = Log(store, LOG)
    await log.open()
    while not (folder / "tile" / "entries" / "031").exists():
        await log.append(entries(256, log.size))
        assert log.size < 100_000
    assert log.checkpoint is None
    for index in (0, 8000, log.size - 1):
        await log.prove_inclusion(index, log.size)
    note = await log.seal()
    await store.close()
    assert note.checkpoint.size == log.size
    assert verify(folder, [LOG_KEY]).findings == ()


async def test_whoever_gives_up_waiting_breaks_nothing(tmp_path: Path) -> None:
    """Threads can't be cancelled: what they write is in the journal, and has to be in the tree."""
    folder = tmp_path / "log"
    store = Folder(folder)
    await store.open()
    log = Log(store, LOG)
    await log.open()
    for number in range(0, 600, 3):
        waiting = [
            asyncio.create_task(log.append([b"%d" % (number + offset) for offset in range(3)])),
            asyncio.create_task(log.seal()),
        ]
        await asyncio.sleep(0)
        if number % 2:
            for task in waiting:
                task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    await log.append([])  # waits for those before
    assert log.size == 600
    await log.seal()
    await store.close()
    assert read(folder, 600) == [b"%d" % number for number in range(600)]
    assert verify(folder, [LOG_KEY]).findings == ()


async def test_what_waits_for_a_checkpoint_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentbus.ledger.log.MAX_FILLED", 4)
    store = Folder(tmp_path / "log", sync=False)
    await store.open()
    log = Log(store, LOG)
    await log.open()
    for first in range(0, 1500, 100):
        await log.append(entries(100, first))
    assert log.checkpoint is not None
    assert log.size - log.checkpoint.size < 700, "two tiles and two bundles, and what is in none"
    await store.close()
    assert verify(tmp_path / "log", [LOG_KEY]).ok


# -- checkpoints and proofs, over any store ----------------------------------------------------------------------------


async def grown(store: Store) -> None:
    """A log that grows while its checkpoints are written, and its proofs."""
    log = Log(store, LOG)
    await log.open()
    records = entries(1500)
    leaves = [leaf_hash(entry) for entry in records]
    empty = await log.seal()
    assert empty.checkpoint.size == 0
    assert await log.seal() == empty, "nothing came: nothing is written"
    notes = [empty]
    for first in range(0, 1500, 125):
        note, number = await asyncio.gather(log.seal(), log.append(records[first : first + 125]))
        assert number == first
        notes.append(note)
    notes.append(await log.seal())
    for note in notes:
        assert note.signed_by(LOG_KEY)
        assert note.checkpoint.root == root_of(leaves[: note.checkpoint.size])
    assert notes[-1].checkpoint.size == 1500
    for note in notes[1:]:
        old, size = note.checkpoint.size, 1500
        if old:
            proof = await log.prove_consistency(old, size)
            assert verify_consistency(old, size, note.checkpoint.root, root_of(leaves), proof)
            for index in (0, old // 2, old - 1):
                inclusion = await log.prove_inclusion(index, old)
                assert verify_inclusion(leaves[index], index, old, inclusion, note.checkpoint.root)
    with pytest.raises(LedgerInvalid):
        await log.prove_inclusion(1500, 1500)
    with pytest.raises(LedgerInvalid):
        await log.prove_consistency(3, 1501)
    await log.append([b"more"])
    again = Log(store, LOG)
    await again.open()
    assert again.size == 1501
    assert again.checkpoint == notes[-1].checkpoint
    assert await again.prove_consistency(77, 1500) == await log.prove_consistency(77, 1500)


async def test_a_log_in_a_folder_grows_and_proves(tmp_path: Path) -> None:
    store = Folder(tmp_path / "log", sync=False)
    await store.open()
    await grown(store)
    await store.close()
    assert verify(tmp_path / "log", [LOG_KEY]).ok


def test_a_log_in_a_bucket_grows_and_proves() -> None:
    async def scenario(sim: Simulation) -> None:
        node = await sim.node("n")
        store = InBucket("log")
        await store.open(node.transport, "test")
        assert store.max_entry == (node.transport.max_payload - 1024) // 256 - 2
        await grown(store)

    Simulation(seed=3).run(scenario)


async def test_a_log_in_jetstream_grows_and_proves(nats_url: str) -> None:
    async with Node(nats_url) as node:
        store = InBucket("log", max_bytes=64 << 20)
        await store.open(node.transport, "test")
        await grown(store)


def test_a_second_writer_in_a_bucket_is_found_out_by_its_first_record() -> None:
    async def scenario(sim: Simulation) -> None:
        node = await sim.node("n")
        logs: list[Log] = []
        for _ in range(2):
            store = InBucket("log")
            await store.open(node.transport, "test")
            logs.append(Log(store, LOG))
            await logs[-1].open()
        await logs[0].append([b"one", b"two"])
        with pytest.raises(LedgerInvalid, match="somebody else"):
            await logs[1].append([b"other"])
        assert await logs[0].append([b"three"]) == 2

    Simulation(seed=4).run(scenario)


def test_a_batch_that_is_larger_than_a_message_is_stored_in_parts() -> None:
    async def scenario(sim: Simulation) -> None:
        node = await sim.node("n")
        store = InBucket("log")
        await store.open(node.transport, "test")
        log = Log(store, LOG)
        await log.open()
        records = [bytes([number % 256]) * 4000 for number in range(600)]
        await log.append(records)
        again = Log(store, LOG)
        await again.open()
        assert again.size == 600
        note = await again.seal()
        assert note.checkpoint.root == root_of([leaf_hash(record) for record in records])

    Simulation(seed=5).run(scenario)


def test_reading_the_journal_alone_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    write(folder, entries(5), sealed=False)
    (journal,) = (folder / "journal").iterdir()
    torn = journal.read_bytes() + b"\x07\0\0\0"
    journal.write_bytes(torn)
    disk = Disk(folder)
    assert disk.journal(mend=False) == [(0, entries(5))]
    assert disk.torn == 4
    assert journal.read_bytes() == torn


def test_what_lies_in_a_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "log")
    disk.open()
    disk.append(0, [b"payload"])
    disk.write([("tile/0/000", b"payload")])
    disk.close()
    assert (tmp_path / "log").stat().st_mode & 0o077 == 0
    assert [path for path in disk.paths() if (disk.root / path).stat().st_mode & 0o077] == []
