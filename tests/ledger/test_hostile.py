"""Files that somebody has made to harm who audits them, and disks that refuse: an audit ends, says what is wrong, and
steers nobody's terminal."""

from __future__ import annotations

import errno
import os
import struct
import zlib
from pathlib import Path

import pytest

from agentbus.cli.program import main
from agentbus.errors import LedgerInvalid, StorageFailed
from agentbus.ledger import Checkpoint, Folder, Kind, Log, Record, verify
from agentbus.ledger.codec import write_record
from agentbus.ledger.disk import Disk
from agentbus.ledger.notes import sign
from agentbus.ledger.syncing import MOUNTS, syncing_all
from agentbus.ledger.tiles import encode_bundle
from tests.ledger.logs import LOG, LOG_KEY, entries, write

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\nall is as it was logged"


def audit(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str]:
    """The exit status, and all that was printed."""
    status = main(["audit", *map(str, words)])
    told = capsys.readouterr()
    return status, told.out + told.err


def steers(text: str) -> bool:
    return any(not c.isprintable() and c != "\n" for c in text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "log", entries(300))
    return tmp_path / "log"


@pytest.mark.parametrize("what", ["verify", "show", "tail", "prove"])
def test_nothing_that_was_logged_steers_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    w = HOSTILE
    record = Record(
        at_us=1,
        kind=Kind.DONE,
        agent=w,
        node=w,
        peer=w,
        subject=w,
        type=w,
        message_id=w,
        outcome=w,
    )
    write(tmp_path / "log", [write_record(record, 7, b"d" * 32, w.encode())])
    (tmp_path / "log" / f"x{HOSTILE.replace('/', '')}").write_bytes(b"")
    words = [what, tmp_path / "log", *([0] if what == "prove" else [])]
    status, told = audit(capsys, *words)
    assert not steers(told)
    assert status == (1 if what == "verify" else 0)
    assert "\nall is as it was logged" not in told
    _, told = audit(capsys, *words, "--json")
    assert not steers(told)


def test_a_log_s_name_steers_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "log", entries(3))
    checkpoint = Checkpoint("example.org/\x9b31m\u202elog", 3, b"r" * 32)
    (tmp_path / "log" / "checkpoint").write_bytes(bytes(sign(checkpoint, LOG)))
    for words in (["verify"], ["prove", 0]):
        status, told = audit(capsys, words[0], tmp_path / "log", *words[1:])
        assert status == 1
        assert not steers(told)


@pytest.mark.parametrize("at_us", [-(1 << 63), (1 << 63) - 1])
@pytest.mark.parametrize("how", [[], ["--json"]])
def test_a_time_that_no_calendar_has_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], at_us: int, how: list[str]
) -> None:
    try:
        record = write_record(Record(at_us=at_us, kind=Kind.DONE, agent="till"))
    except ValueError:  # the wire has no times before 1970
        record = write_record(Record(at_us=(1 << 63) - 2, kind=Kind.DONE, agent="till"))
    write(tmp_path / "log", [record])
    status, told = audit(capsys, "show", tmp_path / "log", *how)
    assert status == 0
    assert "till" in told


@pytest.mark.parametrize("size", [1 << 40, (1 << 63) - 1])
def test_a_checkpoint_of_more_than_there_can_be_ends_an_audit(
    folder: Path, capsys: pytest.CaptureFixture[str], size: int
) -> None:
    (folder / "checkpoint").write_bytes(bytes(sign(Checkpoint(LOG.name, size, b"r" * 32), LOG)))
    report = verify(folder, [LOG_KEY])
    assert (report.ok, report.first_broken) == (False, 300)
    for words in (["verify"], ["show", 299], ["prove", 3], ["prove", min(size, 10**18) - 1], ["tail"]):
        status, told = audit(capsys, words[0], folder, *words[1:])
        assert status == 1
        assert "missing" in told or "cut off" in told


@pytest.mark.parametrize("name", ["checkpoint", "witnessed", "tile/0/000", "tile/entries/000", f"journal/{300:020}"])
def test_what_is_no_file_ends_an_audit(folder: Path, name: str) -> None:
    """A pipe in a file's place would be waited at for ever."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    report = verify(folder, [LOG_KEY])
    assert any(finding.path == name or finding.path.startswith("journal") for finding in report.findings)


@pytest.mark.parametrize("name", ["checkpoint", "witnessed", "tile/0/000", "tile/entries/000"])
def test_what_is_too_long_is_not_read(folder: Path, name: str) -> None:
    """8 TB, of which the disk has none: read at once, it would be the end of whoever audits."""
    with (folder / name).open("ab") as file:
        file.truncate(1 << 43)
    report = verify(folder, [LOG_KEY])
    assert any(finding.path == name for finding in report.findings)


@pytest.mark.parametrize("word", [b"\x00\x00\x10\x00", b"\x01\x00\x00\x00", b"\xff" * 4])
def test_a_journal_that_was_made_to_be_searched_for_long_ends_an_audit(folder: Path, word: bytes) -> None:
    """Each four bytes of it look like the length of a batch."""
    (folder / "journal").mkdir(exist_ok=True)
    path = folder / "journal" / f"{300:020}"
    path.write_bytes(word * (1 << 18))
    assert not verify(folder, [LOG_KEY]).ok
    path.unlink()
    assert verify(folder, [LOG_KEY]).ok


def test_an_altered_batch_is_told_from_a_torn_one_behind_much_else(tmp_path: Path) -> None:
    batch = encode_bundle([b"x" * 200] * 2000)
    whole = struct.pack("<II", len(batch), zlib.crc32(batch)) + batch
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / f"{0:020}").write_bytes(b"\x00" + whole[1:] + whole)
    with pytest.raises(LedgerInvalid, match="altered at record 0"):
        Disk(tmp_path).journal()


def test_keys_that_are_no_text_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder.parent / "keys").write_bytes(b"\xff\xfe\x00")
    status, told = audit(capsys, "verify", folder, "--key", folder.parent / "keys")
    assert status == 1
    assert "keys" in told
    status, told = audit(capsys, "verify", folder, "--key", "k" * 5000)
    assert status == 1
    assert "error" in told


def test_a_checkpoint_that_is_no_file_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(folder.parent / "held")
    for words in (["--checkpoint", folder.parent / "held"], ["--key", folder.parent / "held"]):
        status, told = audit(capsys, "verify", folder, *words)
        assert status == 1
        assert "held" in told or "error" in told


async def test_tiles_that_a_disk_refuses_are_written_with_the_next_checkpoint(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    store = Folder(folder)
    await store.open()
    log = Log(store, LOG)
    await log.open()
    (folder / "tile").write_bytes(b"in the way")
    for first in range(0, 20_000, 1000):
        await log.append(entries(1000, first))  # durable: the journal has them
    with pytest.raises(StorageFailed):
        await log.seal()
    assert log.checkpoint is None
    assert await log.prove_inclusion(3, log.size)
    (folder / "tile").unlink()
    await log.append(entries(1, 20_000))
    await log.seal()
    await store.close()
    report = verify(folder, [LOG_KEY])
    assert report.findings == ()
    assert report.checkpoint is not None
    assert report.checkpoint.size == 20_001


def test_what_a_killed_writer_left_half_written_goes_when_the_log_is_opened(tmp_path: Path) -> None:
    write(tmp_path / "log", entries(300))
    left = tmp_path / "log" / "tile" / "entries" / "001.p" / "17.new"
    left.write_bytes(b"half")
    write(tmp_path / "log", entries(1, 300))
    assert not left.exists()


def test_files_are_synced_at_once_only_where_that_is_known_to_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = os.stat(tmp_path).st_dev
    mounts = tmp_path / "mounts"
    monkeypatch.setattr("agentbus.ledger.syncing.MOUNTS", mounts)
    assert syncing_all(tmp_path) is None, "nobody says what file system it is"
    line = f"1 2 {os.major(device)}:{os.minor(device)} / / rw - %s /dev/x rw\n"
    mounts.write_text(line % "fuse.sshfs")
    assert syncing_all(tmp_path) is None
    mounts.write_text(line % "ext4")
    sync = syncing_all(tmp_path)
    if sync is None:
        assert not MOUNTS.exists()  # no Linux
        return
    descriptor = os.open(tmp_path, os.O_RDONLY)
    sync(descriptor)
    os.close(descriptor)
    with pytest.raises(OSError) as failed:  # noqa: PT011 - which is compared
        sync(descriptor)
    assert failed.value.errno == errno.EBADF
