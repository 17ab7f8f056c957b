"""Planted markers: no secret shows in what is printed, logged, raised, listed by ps, or written where others read."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import os
import pickle
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import structlog
from google.protobuf.wrappers_pb2 import StringValue

from agentbus import Node
from agentbus.errors import AgentBusError, ConfigurationError
from agentbus.security import Credentials, Identity, KeyPair
from agentbus.security.realm.folder import RealmFolder
from agentbus.security.realm.pushing import push
from tests.cli.commands import agentbus, environment, line, running

from .test_revocation import _revoke
from .world import World


def secrets_of(folder: Path) -> dict[str, str]:
    """Every secret in a realm's folder: what it is, to its text."""
    found: dict[str, str] = {}
    for path in folder.rglob("*"):
        if path.suffix == ".nk" or path.name == "join.key":
            found[path.name] = path.read_text().strip()
        elif path.suffix == ".id":
            found[f"{path.name} seed"] = json.loads(path.read_text())["seed"]
        elif path.name.endswith(".key"):
            found[path.name] = path.read_text().splitlines()[1]
    assert len(found) >= 12
    return found


def check(text: str, secrets: dict[str, str], where: str) -> None:
    for name, secret in secrets.items():
        assert secret not in text, f"{name} shows in {where}"


async def test_nothing_shows_in_logs_errors_and_what_is_printed(world: World, tmp_path: Path) -> None:
    secrets = secrets_of(world.realm.folder)
    held = world.credentials("hall")
    secrets |= {"hall's seed": held.pair.reveal_seed(), "hall's jwt": held.jwt}
    texts: list[str] = [repr(held), str(held), repr(Identity(held)), repr(held.realm), repr(world.realm.state)]
    with structlog.testing.capture_logs() as logs:
        async with world.enroller(), Node(identity=Identity(held)) as node:
            texts += [repr(node), repr(node.transport), repr(await node._identity._endpoint(None))]  # type: ignore[union-attr]
            for bad in ("plant.in.other.x", "$KV.plant_x.y", "$SYS.x"):
                node.transport.send(bad, b"")
            await node.transport.flush()
            with contextlib.suppress(AgentBusError):
                await node.request(StringValue(value="?"), StringValue, to="nobody", timeout_s=0.2)
            await _revoke(world, held)
            await asyncio.sleep(0.5)
            for attempt in range(3):
                try:
                    node.transport.send("plant.ev.x", b"")
                except AgentBusError as error:
                    texts += [str(error), repr(error), repr(error.__cause__), str(attempt)]
                await asyncio.sleep(0.1)
    texts.append(repr(logs))
    texts.append(repr(node.transport.statistics()))  # type: ignore[attr-defined]
    for text in texts:
        check(text, secrets, "a log, a repr or an error")
    assert "Permissions Violation" in texts[-2]
    check(world.log, secrets, "the server's log")
    for path in (world.realm.folder / "servers").rglob("*.conf"):
        check(path.read_text(), secrets, str(path))
    with pytest.raises(TypeError):
        pickle.dumps(held)
    with pytest.raises(TypeError):
        copy.deepcopy(held)


@pytest.mark.timeout(60)
async def test_nothing_shows_in_what_commands_print_nor_in_ps(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with running("server", "--secure", "--port", "0", "--data", str(data), "--json") as server:
        told = await line(server.stdout)
        realm = RealmFolder(data / "realm")
        secrets = secrets_of(realm.folder)
        out = [told]
        files = {name: str(tmp_path / name) for name in ("hall.id", "key")}
        join = ("--joiner", str(realm.joiner), "--join-key", str(realm.enroller / "join.key"))
        for words in (
            ("identity", "new", files["key"]),
            ("identity", "enroll", files["hall.id"], *join, "--node", "hall", "--key", files["key"]),
            ("identity", "show", files["key"], "--json"),
            ("identity", "enroll", files["hall.id"], *join, "--node", "hall", "--role", "operator", "--debug"),
            ("identity", "rotate", files["hall.id"], "--json"),
            ("identity", "revoke", files["hall.id"], "--realm-dir", str(realm.folder)),
            ("ps", "--identity", files["hall.id"], "--debug"),
        ):
            listing = await asyncio.to_thread(_processes)
            done = await agentbus(*words, env=environment(AGENTBUS_HOME=str(tmp_path)))
            out += [done.out, done.err, listing]
        secrets |= {"the new key": KeyPair.load(files["key"]).reveal_seed()}
        secrets |= {"the jwt": Credentials.load(files["hall.id"]).jwt}
    for text in out:
        check(text, secrets, "what a command prints, or ps")


def _processes() -> str:
    return "".join(
        path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if os.access(path, os.R_OK) and path.exists()
    )


async def test_secrets_lie_in_files_that_nobody_else_reads(world: World, tmp_path: Path) -> None:
    for path in world.realm.folder.rglob("*"):
        if "jetstream" in path.parts or path.suffix in (".log", ".pid"):
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), f"{path}: {mode:o}"
    held = world.credentials("hall")
    held.save(tmp_path / "id")
    assert stat.S_IMODE((tmp_path / "id").stat().st_mode) == 0o600
    (tmp_path / "id").chmod(0o640)
    with pytest.raises(ConfigurationError, match="can be read by others: chmod 600"):
        Credentials.load(tmp_path / "id")


@pytest.mark.parametrize(
    "damage",
    [
        lambda told: told.update(seed=told["seed"][:-3] + "AAA"),
        lambda told: told.update(form=9),
        lambda told: told.update(enrolment="bm8="),
        lambda told: told.update(enrolment=3),
        lambda told: told["realm"].update(roles={"agent": ["nonsense"]}),
        lambda told: told.pop("jwt"),
        lambda told: told.pop("realm"),
    ],
)
async def test_a_damaged_file_is_refused_and_not_quoted(world: World, tmp_path: Path, damage: object) -> None:
    world.credentials("hall").save(tmp_path / "id")
    told = json.loads((tmp_path / "id").read_text())
    seed = told["seed"]
    damage(told)  # type: ignore[operator]
    (tmp_path / "id").write_text(json.dumps(told))
    with pytest.raises(ConfigurationError) as caught:
        Credentials.load(tmp_path / "id")
    assert seed not in str(caught.value)
    assert told["seed"] not in str(caught.value)
    assert caught.value.__cause__ is None


def test_importing_agentbus_needs_no_security_extra() -> None:
    code = (
        "import sys; sys.modules['cryptography'] = sys.modules['nacl'] = sys.modules['nkeys'] = None\n"
        "import agentbus, agentbus.node, agentbus.cli.program, agentbus.cli.run\n"
        "import agentbus.cli.realm, agentbus.cli.identity"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=15)


async def test_push_is_made_with_a_user_that_lives_minutes(world: World) -> None:
    pair, jwt = world.realm.system_user(1_000)
    from agentbus.security.realm.claims import decode

    claims = decode(jwt)
    assert claims["exp"] == 1_300
    assert claims["sub"] == pair.public
    assert claims["iss"] == world.realm.public.system_account
    assert push is not None
