"""What an audit finds: every edit of every byte, whatever is cut off, put in another order, or told twice."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from agentbus.ledger import Checkpoint, Ed25519, Key, Log, Reader, verify
from agentbus.ledger.merkle import leaf_hash, verify_consistency, verify_inclusion
from agentbus.ledger.notes import cosign, sign
from agentbus.ledger.tiles import decode_bundle, encode_bundle
from tests.ledger.logs import LOG, LOG_KEY, ONE, ONE_KEY, TWO, TWO_KEY, entries, write

RECORDS = 1000
KEYS = (LOG_KEY, ONE_KEY, TWO_KEY)


def cosigned(log: Log) -> bytes:
    """The newest checkpoint, as two witnesses hold it."""
    assert log.note is not None
    return bytes(log.note.plus([cosign(log.note, ONE, 1), cosign(log.note, TWO, 2)]))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of 1,000 records, closed, with its witnessed checkpoint beside it. Nobody changes it."""
    folder = tmp_path_factory.mktemp("whole") / "log"
    log = write(folder, entries(400), entries(RECORDS - 400, 400))
    (folder / "witnessed").write_bytes(cosigned(log))
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy of it to be altered."""
    shutil.copytree(whole, tmp_path / "log")
    return tmp_path / "log"


def files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "lock"]


def record_at(path: Path, content: bytes, at: int) -> int:
    """The record that the byte of a bundle belongs to, its length included."""
    number = int(path.name if path.parent.suffix != ".p" else path.parent.name.removesuffix(".p"))
    end, index = 0, number * 256
    for entry in decode_bundle(content):
        end += 2 + len(entry)
        if at < end:
            return index
        index += 1
    raise AssertionError(at)


def test_a_whole_log_is_whole(whole: Path) -> None:
    report = verify(whole, KEYS)
    assert report.findings == ()
    assert (report.ok, report.first_broken, report.witnessed, report.pending) == (True, None, RECORDS, 0)
    assert report.checkpoint is not None
    assert report.checkpoint.size == RECORDS
    assert [path.relative_to(whole).as_posix() for path in files(whole)] == [
        "checkpoint",
        "tile/0/000",
        "tile/0/001",
        "tile/0/002",
        "tile/0/003.p/232",
        "tile/1/000.p/3",
        "tile/entries/000",
        "tile/entries/001",
        "tile/entries/002",
        "tile/entries/003.p/232",
        "witnessed",
    ]


def flip(content: bytearray, at: int) -> None:
    """Another byte, by a change that differs from place to place."""
    content[at] ^= 1 + (at * 37) % 255


def test_every_byte_of_every_record_counts(folder: Path) -> None:
    """Each byte of all records is edited once: in one run that of each second record. Exactly those are named."""
    bundles = [path for path in files(folder) if "entries" in path.parts]
    original = {path: path.read_bytes() for path in bundles}
    numbers = {path: number * 256 for number, path in enumerate(bundles)}
    longest = max(map(len, entries(RECORDS)))
    edits = 0
    for offset in range(longest):
        for parity in range(2):
            edited: list[int] = []
            for path, content in original.items():
                altered, at = bytearray(content), 0
                for index, entry in enumerate(decode_bundle(content), numbers[path]):
                    if offset < len(entry) and index % 2 == parity:
                        flip(altered, at + 2 + offset)
                        edited.append(index)
                    at += 2 + len(entry)
                path.write_bytes(altered)
            if edited:
                found = verify(folder, KEYS).findings
                assert [finding.index for finding in found] == edited
                edits += len(edited)
    assert edits == sum(map(len, entries(RECORDS)))


@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize("which", [0, 1])
def test_every_byte_of_every_length_counts(folder: Path, which: int, half: int) -> None:
    """A record's length is two bytes before it; of each bundle one is edited at a time, and its record is named."""
    bundles = [path for path in files(folder) if "entries" in path.parts]
    original = {path: path.read_bytes() for path in bundles}
    places: dict[Path, list[tuple[int, int]]] = {}
    for number, (path, content) in enumerate(original.items()):
        at, places[path] = 0, []
        for index, entry in enumerate(decode_bundle(content), number * 256):
            places[path].append((at + which, index))
            at += 2 + len(entry)
    for turn in range(half * 128, half * 128 + 128):
        edited: list[int] = []
        for path, content in original.items():
            if turn < len(places[path]):
                at, index = places[path][turn]
                altered = bytearray(content)
                flip(altered, at)
                path.write_bytes(altered)
                edited.append(index)
        found = {finding.index for finding in verify(folder, KEYS).findings}
        assert set(edited) <= found
        for index in edited:  # none before it in its bundle
            assert not any(other for other in found if other is not None and index // 256 * 256 <= other < index)
        for path, content in original.items():
            path.write_bytes(content)


def test_every_byte_of_every_tile_counts(folder: Path) -> None:
    """One byte of each second hash of all tiles in one run: exactly those hashes are named, and no record."""
    tiles = [path for path in files(folder) if "tile" in path.parts and "entries" not in path.parts]
    original = {path: path.read_bytes() for path in tiles if path.parent.parent.name != "1"}
    edits = 0
    for offset in range(32):
        for parity in range(2):
            edited: set[tuple[str, int]] = set()
            for path, content in original.items():
                altered = bytearray(content)
                for at in range(parity, len(content) // 32, 2):
                    flip(altered, at * 32 + offset)
                    edited.add((path.relative_to(folder).as_posix(), at))
                path.write_bytes(altered)
            report = verify(folder, KEYS)
            assert {(finding.path, finding.hash) for finding in report.findings} == edited
            assert report.first_broken is None
            edits += len(edited)
    assert edits == 32 * RECORDS


def one_by_one(folder: Path, name: str, part: int = 0, parts: int = 1) -> list[int]:
    """The bytes of a file, or of a part of it, that may be edited without being found; none, that is."""
    path = folder / name
    content = path.read_bytes()
    missed: list[int] = []
    for at in range(part, len(content), parts):
        altered = bytearray(content)
        flip(altered, at)
        path.write_bytes(altered)
        if verify(folder, KEYS).ok:
            missed.append(at)
    path.write_bytes(content)
    return missed


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("name", ["checkpoint", "witnessed", "tile/1/000.p/3"])
def test_every_byte_of_every_small_file_counts(folder: Path, name: str, part: int) -> None:
    assert one_by_one(folder, name, part, 4) == []
    assert verify(folder, KEYS).ok


def test_every_byte_of_the_journal_counts(tmp_path: Path) -> None:
    """What is under no checkpoint yet is guarded against accidents, not against forgers."""
    folder = tmp_path / "log"
    log = write(folder, entries(5))
    (folder / "witnessed").write_bytes(cosigned(log))
    write(folder, entries(2, 5), entries(2, 7), sealed=False)
    (journal,) = (folder / "journal").iterdir()
    report = verify(folder, KEYS)
    assert (report.ok, report.pending) == (True, 4)
    assert one_by_one(folder, journal.relative_to(folder).as_posix()) == []


def test_any_edit_anywhere_is_found_one_at_a_time(folder: Path) -> None:
    """A sample of single edits, with the record named; `bench.ledger` does all of them."""
    for path in files(folder):
        content = path.read_bytes()
        for at in range(len(content) // 23, len(content), len(content) // 11):
            altered = bytearray(content)
            flip(altered, at)
            path.write_bytes(altered)
            report = verify(folder, KEYS)
            assert not report.ok
            if "entries" in path.parts:
                assert report.first_broken == record_at(path, content, at)
        path.write_bytes(content)


# -- cut off, put in another order, taken away -------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 399, 400, 512, 768, 999])
def test_a_log_that_was_cut_off_is_found_by_a_witness(whole: Path, tmp_path: Path, size: int) -> None:
    """Its own key signs the shorter one: it agrees with itself, and not with what the witness holds."""
    held = (whole / "witnessed").read_bytes()
    short = tmp_path / "short"
    log = write(short, entries(size))
    assert verify(short, [LOG_KEY]).ok
    report = verify(short, KEYS, [held])
    assert report.first_broken == size
    assert any(f"the log has {size}: it was cut off" in finding.text for finding in report.findings)
    (short / "witnessed").write_bytes(cosigned(log))
    assert verify(short, KEYS).ok, "without a witness's newest checkpoint nobody can tell"
    assert not verify(short, KEYS, [held]).ok


@pytest.mark.parametrize("count", [1, 10, 232])
def test_a_file_that_was_cut_off_is_found(folder: Path, count: int) -> None:
    for path in files(folder):
        content = path.read_bytes()
        path.write_bytes(content[:-count])
        assert not verify(folder, KEYS).ok, path
        path.write_bytes(content + b"\x00" * count)
        assert not verify(folder, KEYS).ok, path
        path.write_bytes(content)


def test_a_file_that_is_missing_is_found(folder: Path) -> None:
    for path in files(folder):
        content = path.read_bytes()
        path.unlink()
        report = verify(folder, KEYS)
        assert not report.ok, path
        if "entries" in path.parts:
            assert report.first_broken is not None
            assert report.first_broken % 256 == 0
        path.write_bytes(content)


@pytest.mark.parametrize(("one", "other"), [(0, 1), (5, 900), (255, 256), (998, 999)])
def test_records_in_another_order_are_found(folder: Path, one: int, other: int) -> None:
    reader = Reader(folder, RECORDS)
    records = [entry for _, entry in reader.records()]
    records[one], records[other] = records[other], records[one]
    for number in range(4):
        part = records[number * 256 : (number + 1) * 256]
        name = f"{number:03}" if len(part) == 256 else f"{number:03}.p/{len(part)}"
        (folder / "tile/entries" / name).write_bytes(encode_bundle(part))
    report = verify(folder, KEYS)
    assert sorted({finding.index for finding in report.findings}, key=lambda index: index or 0) == [one, other]
    assert report.first_broken == one


def test_a_record_that_is_left_out_or_put_in_is_found(folder: Path) -> None:
    path = folder / "tile/entries/001"
    records = decode_bundle(path.read_bytes())
    path.write_bytes(encode_bundle([*records[:100], *records[101:]]))
    assert verify(folder, KEYS).first_broken == 256 + 100
    path.write_bytes(encode_bundle([*records[:100], b"new", *records[100:]]))
    assert verify(folder, KEYS).first_broken == 256 + 100
    path.write_bytes(encode_bundle([*records, b"new"]))
    assert not verify(folder, KEYS).ok


def test_a_record_and_its_tile_altered_together_are_found(folder: Path) -> None:
    """The tile above says so; and which of its 256 records it is, the tile below can't say any more."""
    path, tile = folder / "tile/entries/001", folder / "tile/0/001"
    records = decode_bundle(path.read_bytes())
    records[100] = b"forged"
    path.write_bytes(encode_bundle(records))
    content = tile.read_bytes()
    tile.write_bytes(content[: 100 * 32] + leaf_hash(b"forged") + content[101 * 32 :])
    report = verify(folder, KEYS)
    assert report.first_broken == 256
    assert "256 to 511" in report.findings[0].text


@pytest.mark.parametrize("index", [0, 300, 999])
def test_a_log_that_was_written_anew_is_found_by_a_witness(whole: Path, tmp_path: Path, index: int) -> None:
    """All of it is of one piece, and signed; the witness has seen another. Of the same size, that is a fork."""
    held = (whole / "witnessed").read_bytes()
    records = entries(RECORDS)
    records[index] = b"forged"
    other = tmp_path / "other"
    write(other, records)
    assert verify(other, [LOG_KEY]).ok
    report = verify(other, KEYS, [held])
    assert any("a fork" in finding.text for finding in report.findings)
    write(other, entries(5, RECORDS))
    report = verify(other, KEYS, [held])
    assert any("are not those that were cosigned" in finding.text for finding in report.findings)
    assert report.first_broken == 0, "the tiles of the forgery agree with it: no record can be named"


def test_an_older_checkpoint_narrows_down_where_a_log_was_rewritten(tmp_path: Path) -> None:
    held = [bytes(cosigned(write(tmp_path / "true", part))) for part in (entries(600), entries(300, 600))]
    records = entries(900)
    records[700] = b"forged"
    write(tmp_path / "false", records)
    report = verify(tmp_path / "false", KEYS, held)
    assert report.first_broken == 600
    assert report.witnessed == 600


# -- keys and checkpoints ----------------------------------------------------------------------------------------------


def test_another_key_is_found(folder: Path) -> None:
    report = verify(folder, [Key.of(Ed25519(LOG.name))])
    assert "not signed by" in report.findings[0].text


def test_a_checkpoint_of_another_log_is_not_compared(folder: Path) -> None:
    foreign = sign(Checkpoint("example.org/other", RECORDS, bytes(32)), Ed25519("example.org/other"))
    assert not verify(folder, KEYS, [bytes(foreign)]).ok
    assert not verify(folder, (), [bytes(foreign)]).ok


def test_a_checkpoint_that_no_witness_has_cosigned_is_told(folder: Path) -> None:
    assert "not cosigned by" in verify(folder, KEYS, [(folder / "checkpoint").read_bytes()]).findings[0].text
    (folder / "witnessed").unlink()
    assert "no checkpoint that witnesses" in verify(folder, KEYS).findings[0].text


def test_without_keys_the_files_alone_are_compared(folder: Path) -> None:
    assert verify(folder).ok
    (folder / "tile/0/000").unlink()
    assert not verify(folder).ok


def test_what_belongs_to_no_log_is_told(folder: Path) -> None:
    (folder / "tile" / "notes.txt").write_text("mine")
    assert verify(folder, KEYS).findings[0].path == "tile/notes.txt"


def test_tiles_of_the_past_must_be_of_the_same_tree(folder: Path) -> None:
    past = folder / "tile/0/003.p/100"
    past.write_bytes((folder / "tile/0/003.p/232").read_bytes()[:3200])
    assert verify(folder, KEYS).ok
    past.write_bytes(bytes(3200))
    assert verify(folder, KEYS).findings[0].path == "tile/0/003.p/100"


# -- proofs ------------------------------------------------------------------------------------------------------------


def test_proofs_from_the_files_hold(whole: Path) -> None:
    reader = Reader(whole, RECORDS)
    root = reader.root(RECORDS)
    for index in range(0, RECORDS, 7):
        proof = reader.prove_inclusion(index, RECORDS)
        assert len(proof) <= 10
        assert verify_inclusion(leaf_hash(reader.record(index)), index, RECORDS, proof, root)
    for old in (1, 255, 256, 257, 400, 768, 999, 1000):
        proof = reader.prove_consistency(old, RECORDS)
        assert verify_consistency(old, RECORDS, reader.root(old), root, proof)
