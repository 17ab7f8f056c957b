"""Approvals on a real broker, by ``agentbus approve`` as a process: what waits, yes, no, and what must not count."""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from agentbus import Node
from agentbus.cli.program import main
from agentbus.errors import Refused
from agentbus.security import Enrolment, KeyPair, signed_enrolment
from agentbus.security.approvals import Approvals, WaitingCall, WaitingReply, WaitingRequest
from agentbus.subjects import Subjects
from examples.climate.v1.climate_pb2 import Reading, TargetReply
from tests.cli.commands import agentbus, environment
from tests.nats_server import NatsServer
from tests.waiting import until

from .world import ANNA, MALLORY, Recorder, Till, say, waiting

KNOWN = ("--import", "examples.climate.v1.climate_pb2")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A running nats-server."""
    running = NatsServer(tmp_path_factory.mktemp("nats"))
    running.start()
    yield running
    running.stop(kill=True)


@pytest.fixture
def where(server: NatsServer) -> tuple[str, ...]:
    """The words that say where: a realm of its own."""
    return ("--url", server.url, "--realm", f"r{secrets.token_hex(6)}")


def waiting_at(node: Node) -> int:
    """How many calls wait at the desk of a node."""
    desk = node.cells["approvals"].agent
    assert isinstance(desk, Approvals)
    return len(desk._docket)


def asking(client: Node, celsius: float) -> asyncio.Task[TargetReply]:
    request = client.request(Reading(room="hall", celsius=celsius), TargetReply, to="till", timeout_s=30)
    return asyncio.create_task(request)


async def test_a_person_says_yes_and_no(where: tuple[str, ...], tmp_path: Path) -> None:
    _, url, _, realm = where
    key = tmp_path / "anna.nk"
    ANNA.save(key)
    till, book = Till(), Recorder()
    async with (
        Node(url, realm=realm, name="shop", agents=[till, Approvals([ANNA.public]), book]) as shop,
        Node(url, realm=realm, name="other", agents=[Approvals([ANNA.public])]),
        Node(url, realm=realm, name="client") as client,
    ):
        good, bad = asking(client, 5), asking(client, 5000)
        await until(lambda: waiting_at(shop) == 2)
        told, table = await asyncio.gather(
            agentbus("approve", "ls", *where, *KNOWN, "--json"), agentbus("approve", "ls", *where)
        )
        calls = {call["request"]["message"]["celsius"]: call for call in told.objects}
        assert set(calls) == {5.0, 5000.0}
        first = calls[5.0]
        assert (first["approval"], first["agent"], first["behavior"]) == ("payments", "till", "pay")
        assert (first["node"], first["sender"]) == ("shop", "client")
        assert 0 < first["remaining_s"] <= 30
        head, *rows = table.out.splitlines()
        assert head.split() == ["ID", "APPROVAL", "CALL", "NODE", "ASKED", "BY", "LEFT", "REQUEST"]
        assert len(rows) == 2
        assert "type examples.climate.v1.Reading is not known here" in rows[0]

        signing = ("approve", "yes", first["id"], "--key")
        refusing = ("approve", "no", calls[5000.0]["id"], "--reason", "too much", *where, "--json")
        yes, no = await asyncio.gather(
            agentbus(*signing, str(key), "--reason", "small", *where, *KNOWN),
            agentbus(*refusing, env=environment(AGENTBUS_SEED=ANNA.reveal_seed())),
        )
        assert (yes.status, yes.err) == (0, "")
        assert '"celsius": 5.0' in yes.out
        assert (await good).celsius == 5
        assert no.objects[0]["answer"] == "no"
        with pytest.raises(Refused, match="says no: too much"):
            await bad
        await until(lambda: len(book.heard) == 2)
    assert {(event.reason, event.by) for event in book.heard} == {("small", ANNA.public), ("too much", ANNA.public)}
    assert till.paid == [5]
    for ended in (told, table, yes, no):
        assert ANNA.reveal_seed() not in ended.out + ended.err


async def test_what_must_not_count_does_not(where: tuple[str, ...], tmp_path: Path) -> None:
    _, url, _, realm = where
    ANNA.save(tmp_path / "anna.nk")
    MALLORY.save(tmp_path / "mallory.nk")
    till = Till()
    async with (
        Node(url, realm=realm, name="shop", agents=[till, Approvals([ANNA.public])]) as shop,
        Node(url, realm=realm, name="client") as client,
    ):
        paid, unpaid = asking(client, 5), asking(client, 6)
        await until(lambda: waiting_at(shop) == 2)
        (where_one, one), (_, other) = await waiting(client)
        assert (await say(client, where_one, one)).error == ""
        await until(lambda: len(till.paid) == 1)
        again, forged = await asyncio.gather(
            agentbus("approve", "yes", one.id, *where, "--key", str(tmp_path / "anna.nk")),
            agentbus("approve", "yes", other.id, *where, "--key", str(tmp_path / "mallory.nk")),
        )
        assert (again.status, f"no call '{one.id}' waits: it was decided" in again.err) == (1, True)
        assert (forged.status, "Unauthorized" in forged.err, "none of the approvers" in forged.err) == (1, True, True)
        assert len(till.paid) == 1
        for call in (paid, unpaid):
            call.cancel()


async def test_a_person_is_shown_all_of_it_or_told_that_it_is_not(where: tuple[str, ...]) -> None:
    """A field of a newer schema is not passed over in silence; what is large is shown by its number."""
    _, url, _, realm = where
    async with (
        Node(url, realm=realm, name="shop", agents=[Till(), Approvals([ANNA.public])]) as shop,
        Node(url, realm=realm, name="client") as client,
    ):
        newer = Reading.FromString(Reading(room="x" * 3000).SerializeToString() + b"\xfa\x01\x06secret")
        paying = asyncio.create_task(client.request(newer, TargetReply, to="till", timeout_s=30))
        await until(lambda: waiting_at(shop) == 1)
        ((_, call),) = await waiting(client)
        short, whole, unknown = await asyncio.gather(
            agentbus("approve", "ls", *where, *KNOWN),
            agentbus("approve", "ls", call.id, *where, *KNOWN, "--json"),
            agentbus("approve", "ls", "7", *where),
        )
        assert f"agentbus approve ls {call.id} shows it" in short.out
        (shown,) = whole.objects
        assert shown["request"]["note"] == "it has fields that the examples.climate.v1.Reading known here has not"
        assert [31, "text", "secret"] in shown["request"]["fields"]
        assert (unknown.status, "no call '7' waits" in unknown.err) == (1, True)
        paying.cancel()


async def test_an_enrolled_person(where: tuple[str, ...], tmp_path: Path) -> None:
    _, url, _, realm = where
    issuer = KeyPair.create()
    till = Till()
    async with (
        Node(url, realm=realm, agents=[till, Approvals(issuers={issuer.key: "approver"})]) as shop,
        Node(url, realm=realm, name="client") as client,
    ):
        now_s = int(shop.bus.clock_us() / 1e6)
        enrolment = Enrolment(
            key=ANNA.key,
            realm=realm,
            node="anna",
            names=("payments",),
            role="approver",
            issued_s=now_s,
            expires_s=now_s + 60,
            issuer=issuer.key,
        )
        (tmp_path / "anna.enrolment").write_bytes(signed_enrolment(enrolment, issuer))
        ANNA.save(tmp_path / "anna.nk")
        paying = asking(client, 5)
        await until(lambda: waiting_at(shop) == 1)
        ((_, call),) = await waiting(client)
        words = ("approve", "yes", call.id, "--key", str(tmp_path / "anna.nk"))
        shown = await agentbus(*words, "--enrolment", str(tmp_path / "anna.enrolment"), *where)
        assert shown.status == 0, shown.err
        assert (await paying).celsius == 5


async def test_a_desk_that_lies_gets_no_signature(where: tuple[str, ...], tmp_path: Path) -> None:
    """Another node claims the call's number and shows a smaller sum."""
    _, url, _, realm = where
    ANNA.save(tmp_path / "anna.nk")
    till = Till()
    async with (
        Node(url, realm=realm, name="shop", agents=[till, Approvals([ANNA.public])]) as shop,
        Node(url, realm=realm, name="liar") as liar,
    ):
        paying = asking(liar, 5000)
        await until(lambda: waiting_at(shop) == 1)
        ((_, call),) = await waiting(liar)
        payload = Reading(celsius=5).SerializeToString()
        claim = WaitingCall(id=call.id, approval="payments", agent="till", payload=payload)
        claim.payload_size = len(payload)
        lie = WaitingReply(realm=realm, node="shop", calls=[claim]).SerializeToString()
        subject = Subjects(realm).all(WaitingRequest.DESCRIPTOR.full_name)
        liar.transport.subscribe(subject, lambda _s, _b, reply, _h: liar.transport.send(reply, lie))
        await liar.transport.flush()
        told = await agentbus("approve", "yes", call.id, "--key", str(tmp_path / "anna.nk"), *where)
        assert (told.status, "several desks claim it" in told.err) == (1, True)
        assert (till.paid, paying.done()) == ([], False)
        paying.cancel()


async def test_where_no_desk_is_that_is_told(where: tuple[str, ...]) -> None:
    ended = await agentbus("approve", "ls", *where, "--timeout", "0.3")
    assert (ended.status, ended.out) == (1, "")
    assert "NoResponders" in ended.err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("ls", "--reason", "x"), "go with yes and no"),
        (("ls", "--key", "x"), "go with yes and no"),
        (("yes",), "to which call"),
        (("no", "7"), "sign with which key"),
    ],
)
def test_words_that_do_not_go_together_are_told(
    words: tuple[str, ...], why: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AGENTBUS_SEED", raising=False)
    assert main(["approve", *words]) == 2
    assert why in capsys.readouterr().err


def test_files_that_are_not_there_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["approve", "yes", "7", "--key", str(tmp_path / "none")]) == 1
    assert "agentbus identity new" in capsys.readouterr().err
    ANNA.save(tmp_path / "anna.nk")
    words = ["--key", str(tmp_path / "anna.nk"), "--enrolment", str(tmp_path / "none")]
    assert main(["approve", "yes", "7", *words]) == 1
    assert "no enrolment in" in capsys.readouterr().err


def test_a_missing_extra_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "agentbus.cli.approving", raising=False)
    monkeypatch.setitem(sys.modules, "agentbus.security", None)  # type: ignore[arg-type]
    with pytest.raises(ModuleNotFoundError):  # nobody's extra
        main(["approve", "ls"])
    missing = ModuleNotFoundError("no nacl", name="nacl")

    def find(name: str, *_: object) -> None:
        if name == "agentbus.cli.approving":
            raise missing

    monkeypatch.setattr(sys, "meta_path", [SimpleNamespace(find_spec=find), *sys.meta_path])
    assert main(["approve", "ls"]) == 1
    assert "pip install 'agentbus-network[security]'" in capsys.readouterr().err
