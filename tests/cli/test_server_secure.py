"""``agentbus server --secure``: a realm is made once, and its server ends with the command, however that ends."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from agentbus.errors import Unauthorized
from agentbus.security.realm.demands import Demands, read_demands
from agentbus.security.realm.folder import RealmFolder
from agentbus.transports.nats import NatsTransport
from tests.cli.commands import agentbus, end, line, running
from tests.transports.server_world import alive, until


@pytest.mark.timeout(40)
async def test_the_realm_stays_and_the_server_goes(tmp_path: Path) -> None:
    words = ("server", "--secure", "--port", "0", "--data", str(tmp_path / "data"), "--realm-name", "plant", "--json")
    async with running(*words) as process:
        told = json.loads(await line(process.stdout))
        assert told["realm"] == "plant"
        realm = RealmFolder(tmp_path / "data" / "realm")
        assert realm.public.urls == tuple(told["urls"])
        assert await let_in_without_an_identity(told["urls"][0], realm) is False
        process.send_signal(signal.SIGKILL)
        await process.wait()
    await until(lambda: not alive(told["pid"]), "the server gone with the command")
    async with running(*words) as process:
        again = json.loads(await line(process.stdout))
        assert again["urls"] == told["urls"]
        assert RealmFolder(tmp_path / "data" / "realm").public == realm.public
        ended = await end(process, signal.SIGTERM)
    assert (ended.status, ended.out, ended.err) == (0, "", "")
    await until(lambda: not alive(again["pid"]), "the server gone")


async def let_in_without_an_identity(url: str, realm: RealmFolder) -> bool:
    from agentbus.security.trust import trusting

    transport = NatsTransport(url, tls=trusting(realm.public), tls_first=True, user="agentbus", password="guessed")
    try:
        await transport.connect(timeout_s=3.0)
    except Unauthorized:
        return False
    finally:
        await transport.close()
    return True


async def test_a_port_that_is_taken(tmp_path: Path) -> None:
    first = ("server", "--secure", "--port", "0", "--data", str(tmp_path / "a"), "--json")
    async with running(*first) as process:
        told = json.loads(await line(process.stdout))
        port = told["urls"][0].rpartition(":")[2]
        done = await agentbus("server", "--secure", "--port", port, "--data", str(tmp_path / "b"))
        assert done.status == 1
        assert "ServerFailed" in done.err
        assert "address already in use" in done.err
        await end(process, signal.SIGTERM)


WORDS = ("--job", "forecast", "--escrow", "bank", "--bucket", "leases={agent}", "--bucket", "shared=>")
DEMANDS = ("--admit", "join-key", "--admit", "puzzle:4", "--quota", "5/60:no-vote", "--probation", "7")


@pytest.mark.timeout(40)
async def test_the_realm_has_what_the_words_say_and_keeps_it(tmp_path: Path) -> None:
    plain = ("server", "--secure", "--port", "0", "--data", str(tmp_path), "--json")
    folder = tmp_path / "realm"
    for words in ((*plain, *WORDS, *DEMANDS), (*plain, *WORDS, *DEMANDS), plain):
        async with running(*words) as process:
            assert json.loads(await line(process.stdout))["realm"] == "default"
            ended = await end(process, signal.SIGTERM)
        assert (ended.status, ended.err) == (0, "")
        layout = RealmFolder(folder).state.layout
        assert (tuple(layout.jobs), tuple(layout.escrows)) == (("forecast",), ("bank",))
        buckets = {name: tuple(keys) for name, keys in layout.buckets.items()}
        assert buckets == {"checkpoints": ("{agent}.>",), "leases": ("{agent}",), "shared": (">",)}
        assert read_demands(folder / "enroller") == Demands(
            admit=("join-key", "puzzle:4"), quota="5/60:no-vote", probation_s=7
        )


@pytest.mark.parametrize(
    "words", [("--job", "other"), ("--escrow", "bank"), ("--bucket", "b"), ("--admit", "quorum:2"), ("--quota", "1/9")]
)
async def test_words_that_a_realm_which_is_there_does_not_follow_are_refused(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    made = await agentbus("realm", "init", str(tmp_path / "realm"), "--job", "forecast")
    assert made.status == 0
    done = await agentbus("server", "--secure", "--port", "0", "--data", str(tmp_path), *words)
    assert done.status == 2
    assert f"{tmp_path / 'realm'} was made otherwise" in done.err
    assert words[0] in done.err


async def test_words_of_a_realm_are_for_a_secure_server(tmp_path: Path) -> None:
    done = await agentbus("server", "--port", "0", "--data", str(tmp_path), "--job", "forecast")
    assert (done.status, done.out) == (2, "")
    assert "--job" in done.err
    assert "--secure" in done.err
