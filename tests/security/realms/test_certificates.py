"""New certificates for a realm's servers, while they run: shown to who comes, and nobody is cut off."""

from __future__ import annotations

import asyncio
import json
import signal
import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from agentbus import Node
from agentbus.errors import ConfigurationError, ServerFailed, Unauthorized
from agentbus.security.credentials import read_secret, write_secret
from agentbus.security.realm.certificates import SERVER_DAYS, end_of, hosts_of, server_certificate
from agentbus.security.realm.folder import RealmFolder, create
from agentbus.security.realm.permissions import Layout
from agentbus.security.realm.pushing import push, reload
from agentbus.security.trust import trusting
from tests.cli.commands import agentbus, end, line, running
from tests.nats_server import free_port
from tests.transports.nats_world import until

from .world import World, Worlds, raises


async def shown(world: World) -> list[str]:
    """What each server shows to who comes, PEM."""
    found: list[str] = []
    for port in world.ports[: world.realm.state.servers]:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting(world.realm.public))
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        found.append(ssl.DER_cert_to_PEM_cert(der))
        writer.close()
    return found


def aged(realm: RealmFolder, days: float) -> None:
    """The servers' certificate was made so many days ago."""
    ca_key = read_secret(realm.folder / "offline" / "ca.key", "")
    then = datetime.now(UTC) - timedelta(days=days)
    certificate, key = server_certificate(realm.public.ca, ca_key, hosts_of(realm.certificate), then)
    for name, text in (("server.key", key), ("server.pem", certificate)):
        write_secret(realm.folder / "servers" / "tls" / name, text)


@pytest.mark.parametrize("servers", [1, 3])
async def test_servers_show_the_new_certificate_and_clients_stay(worlds: Worlds, servers: int) -> None:
    world = worlds(servers=servers)
    realm, before = world.realm, world.realm.certificate
    revoked = world.identity("bad")
    async with Node(identity=revoked) as bad, world.node("hall") as hall, world.node("desk") as desk:
        now_s = int(time.time())
        await push(realm, realm.revoke(revoked.credentials.pair.public, now_s), now_s)
        await until(lambda: raises(bad, Unauthorized), "cut off")
        heard: list[str] = []
        desk.transport.subscribe("plant.ev.>", lambda subject, *_: heard.append(subject))
        await desk.transport.flush()
        ended = await agentbus("realm", "renew", str(realm.folder), "--json")
        assert ended.status == 0, ended.err
        (told,) = ended.objects
        assert told["told"] == [f"plant-{number + 1}" for number in range(servers)]
        left = datetime.fromisoformat(told["certificate_until"]) - datetime.now(UTC)
        assert SERVER_DAYS - 1 <= left.days <= SERVER_DAYS
        assert await shown(world) == [realm.certificate] * servers != [before] * servers
        assert hosts_of(realm.certificate) == hosts_of(before)
        await hall.publish(StringValue(value="x"))
        await until(lambda: heard, "clients that were there go on")
        for node in (hall, desk):
            assert "link_lost" not in node.transport.statistics().errors  # type: ignore[attr-defined]
        async with world.node("new") as new:
            assert new.transport.connected
        with pytest.raises(Unauthorized):  # who was revoked meanwhile stays out
            async with Node(identity=world.identity("late"), agents={}), Node(identity=revoked):
                pass


async def test_a_server_that_can_not_take_it_is_named(world: World) -> None:
    (world.realm.server() / "server.conf").write_text("nonsense: {\n")
    with pytest.raises(ServerFailed, match="server plant-1 goes on as it was"):
        await reload(world.realm, int(time.time()))


async def test_it_is_the_operators_act(world: World) -> None:
    (world.realm.folder / "offline" / "ca.key").unlink()
    before = world.realm.certificate
    with pytest.raises(ConfigurationError, match="bring offline/ back"):
        world.realm.renew(int(time.time()))
    assert world.realm.certificate == before


async def test_what_ends_soon_is_told_when_the_server_starts(tmp_path: Path) -> None:
    data = tmp_path / "data"
    realm = create(data / "realm", Layout(realm="plant"), now_s=int(time.time()), port=free_port())
    aged(realm, SERVER_DAYS - 20)
    async with running("server", "--secure", "--data", str(data), "--json") as process:
        json.loads(await line(process.stdout))
        told = await line(process.stderr)
        await end(process, signal.SIGTERM)
    assert told == f"warning: the server's certificate ends in 19 days: agentbus realm renew {realm.folder}\n"


async def test_a_certificate_for_servers_that_do_not_run(tmp_path: Path) -> None:
    realm = create(tmp_path / "realm", Layout(realm="plant"), now_s=int(time.time()), hosts=["house", "::1"], servers=2)
    aged(realm, SERVER_DAYS + 1)
    ended = await agentbus("realm", "renew", str(realm.folder), "--no-push", "--json")
    assert ended.objects == [{"certificate_until": end_of(realm.certificate).isoformat(), "told": []}]
    assert (end_of(realm.certificate) - datetime.now(UTC)).days == SERVER_DAYS - 1
    assert hosts_of(realm.certificate) == ["house", "::1", "localhost", "127.0.0.1"]
