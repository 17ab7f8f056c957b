"""``agentbus audit``: whole logs and broken ones, proofs that anybody can check, records as they were logged."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from pathlib import Path

import pytest

from agentbus.cli.program import main
from agentbus.ledger import Ed25519, Key, Kind, Note, Record
from agentbus.ledger.codec import write_record
from agentbus.ledger.merkle import leaf_hash, verify_inclusion
from agentbus.ledger.notes import cosign, open_checkpoint
from tests.cli.commands import agentbus, line, running
from tests.ledger.logs import LOG_KEY, ONE, ONE_KEY, TWO, TWO_KEY, write, written


def records(count: int, first: int = 0) -> list[bytes]:
    return [
        write_record(
            Record(at_us=1_700_000_000_000_000 + number, kind=Kind.DONE, agent="till", type="shop.Order", peer="desk"),
            5,
            leaf_hash(b"apple"),
            b"apple" if number % 2 else b"",
        )
        for number in range(first, first + count)
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A log of 300 orders, witnessed at 200; what the witness holds is beside it, and the keys."""
    log = write(tmp_path / "log", records(200))
    assert log.note is not None
    held = bytes(log.note.plus([cosign(log.note, ONE, 1), cosign(log.note, TWO, 1)]))
    write(tmp_path / "log", records(100, 200))
    (tmp_path / "log" / "witnessed").write_bytes(held)
    (tmp_path / "held").write_bytes(held)
    (tmp_path / "keys").write_text(f"# the log, and its witnesses\n{LOG_KEY}\n\n{ONE_KEY}\n{TWO_KEY}\n")
    return tmp_path / "log"


def audit(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    status = main(["audit", *map(str, words)])
    told = capsys.readouterr()
    return status, told.out, told.err


def test_a_whole_log(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys, held = folder.parent / "keys", folder.parent / "held"
    status, out, _ = audit(capsys, "verify", folder, "--key", keys, "--checkpoint", held)
    assert status == 0
    assert out.splitlines() == [
        "example.org/log: 300 records",
        "as witnesses have cosigned it at 200 records",
        "all is as it was logged",
    ]
    status, out, _ = audit(capsys, "verify", folder, "--key", LOG_KEY, "--json")
    told = json.loads(out)
    assert (status, told["ok"], told["size"], told["signatures_verified"]) == (0, True, 300, True)
    assert (told["agreed"], told["witnessed"]) == (200, 0), "nobody has looked whether witnesses signed it"
    assert "whose it is was not verified" in audit(capsys, "verify", folder, "--key", LOG_KEY)[1]
    status, out, _ = audit(capsys, "verify", folder)
    assert (status, "signatures were not verified" in out) == (0, True)


def test_a_quorum_of_the_witnesses_is_enough_when_it_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    note, _ = open_checkpoint((folder / "witnessed").read_bytes(), LOG_KEY)
    (folder / "witnessed").write_bytes(bytes(Note(note.text, note.signatures[:2])))
    keys = folder.parent / "keys"
    status, out, _ = audit(capsys, "verify", folder, "--key", keys)
    assert (status, "not cosigned by two.example" in out) == (1, True)
    assert audit(capsys, "verify", folder, "--key", keys, "--quorum", 1)[0] == 0


def test_the_first_broken_record_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = folder / "tile/entries/000"
    content = bundle.read_bytes()
    at = content.index(write_record(Record(at_us=1_700_000_000_000_123, kind=Kind.DONE, agent="till"))[:9])
    bundle.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    status, out, _ = audit(capsys, "verify", folder, "--key", folder.parent / "keys")
    assert status == 1
    assert out.splitlines()[-1] == "first broken record: 123"
    status, out, _ = audit(capsys, "verify", folder, "--json")
    told = json.loads(out)
    assert (status, told["ok"], told["first_broken"]) == (1, False, 123)
    assert told["findings"][0] == {
        "text": "record 123 is not the one that was logged",
        "index": 123,
        "path": "tile/entries/000",
    }


def test_a_log_that_was_cut_off_is_found_with_what_a_witness_holds(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = folder.parent / "short"
    write(short, records(150))
    assert audit(capsys, "verify", short, "--key", LOG_KEY)[0] == 0
    held = folder.parent / "held"
    status, out, _ = audit(capsys, "verify", short, "--key", LOG_KEY, "--checkpoint", held)
    assert status == 1
    assert "the log has 150: it was cut off" in out
    assert out.splitlines()[-1] == "first broken record: 150"


def test_many_findings_are_not_all_listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tile = folder / "tile/0/000"
    tile.write_bytes(bytes(each ^ 1 for each in tile.read_bytes()))
    status, out, _ = audit(capsys, "verify", folder)
    assert status == 1
    assert out.splitlines()[-1] == "wrong: and 236 things more"


def test_a_proof_can_be_checked_by_others(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = audit(capsys, "prove", folder, 123, "--key", LOG_KEY, "--json")
    told = json.loads(out)
    assert status == 0
    _, checkpoint = open_checkpoint(told["checkpoint"].encode(), LOG_KEY)
    entry, proof = b64decode(told["entry"]), [bytes.fromhex(each) for each in told["proof"]]
    assert entry == records(1, 123)[0]
    assert len(proof) <= 9
    assert verify_inclusion(leaf_hash(entry), told["index"], checkpoint.size, proof, checkpoint.root)
    status, out, _ = audit(capsys, "prove", folder, 123)
    assert (status, out.splitlines()[-1]) == (0, "the proof holds")
    tile = folder / "tile/0/000"
    tile.write_bytes(tile.read_bytes()[:-1] + b"\0")
    status, out, _ = audit(capsys, "prove", folder, 123)
    assert (status, "does not hold" in out) == (1, True)


def test_records_are_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = audit(capsys, "show", folder, 255, "-n", 2)
    head, *rows = out.splitlines()
    assert status == 0
    assert head.split()[:3] == ["INDEX", "TIME", "KIND"]
    assert [row.split()[0] for row in rows] == ["255", "256"]
    assert "apple" in rows[0]
    assert "sha256:" in rows[1]
    _, out, _ = audit(capsys, "tail", folder, "-n", 3, "--json")
    told = [json.loads(text) for text in out.splitlines()]
    assert [each["index"] for each in told] == [297, 298, 299]
    assert (told[0]["agent"], told[0]["kind"], told[0]["time"]) == ("till", "done", "2023-11-14T22:13:20.000297+00:00")


def test_what_is_no_record_is_passed_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "log", [b"\xff\xff", *records(1)])
    status, out, err = audit(capsys, "show", tmp_path / "log")
    assert (status, len(out.splitlines())) == (0, 2)
    assert "record 0: not a record" in err


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["verify", "nowhere"], 2, "no folder"),
        (["prove", "{log}"], 2, "prove which record"),
        (["prove", "{log}", "300"], 1, "no record 300"),
        (["prove", "{log}", "-1"], 2, ""),
        (["tail", "{log}", "1"], 2, "takes no INDEX"),
        (["show", "{log}", "--follow"], 2, "goes with tail"),
        (["show", "{log}", "--checkpoint", "x"], 2, "go with verify"),
        (["verify", "{log}", "--checkpoint", "nowhere"], 1, "nowhere: No such file"),
        (["verify", "{log}", "--key", "nonsense"], 1, "no verifier key"),
        (
            ["show", "{log}", "--key", str(Key.of(Ed25519("example.org/other", bytes(32))))],
            1,
            "not of 'example.org/other'",
        ),
        (["show", "{empty}"], 1, "checkpoint: No such file"),
    ],
)
def test_wrong_use_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], status: int, said: str
) -> None:
    empty = folder.parent / "empty"
    empty.mkdir()
    ended, _, err = audit(capsys, *(word.format(log=folder, empty=empty) for word in words))
    assert ended == status
    assert said in err


async def test_the_newest_are_followed(folder: Path) -> None:
    async with running("audit", "tail", str(folder), "-n", "1", "--follow", "--json") as process:
        assert json.loads(await line(process.stdout))["index"] == 299
        await written(folder, [records(2, 300)])
        assert [json.loads(await line(process.stdout))["index"] for _ in range(2)] == [300, 301]


async def test_the_command_itself(folder: Path) -> None:
    ended = await agentbus("audit", "verify", str(folder), "--key", str(folder.parent / "keys"), "--json")
    assert (ended.status, ended.objects[0]["ok"]) == (0, True)
    await asyncio.to_thread((folder / "tile/0/000").unlink)
    ended = await agentbus("audit", "verify", str(folder), "--key", str(folder.parent / "keys"))
    assert (ended.status, "cut off or missing" in ended.out) == (1, True)
