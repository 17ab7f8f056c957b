"""``agentbus proto``: Python and stubs that run here, or nothing at all."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from agentbus.cli import protoc
from agentbus.errors import AgentNotFound, ConfigurationError
from tests.cli.commands import agentbus, environment

CITY = 'syntax = "proto3";\npackage city.{name}.v1;\n{imports}\nmessage {message} {{ {fields} }}\n'


@pytest.fixture
def protos(tmp_path: Path) -> Path:
    """A folder with two packages, one of which imports the other."""
    for name, imports, message, fields in (
        ("roads", "", "Road", "string name = 1;"),
        ("cars", 'import "city/roads/v1/roads.proto";', "Car", "city.roads.v1.Road on = 1;"),
    ):
        folder = tmp_path / "protos" / "city" / name / "v1"
        folder.mkdir(parents=True)
        text = CITY.format(name=name, imports=imports, message=message, fields=fields)
        (folder / f"{name}.proto").write_text(text)
    return tmp_path / "protos"


async def test_packages_are_made_that_can_be_imported(protos: Path, tmp_path: Path) -> None:
    (tmp_path / "src" / "city" / "cars").mkdir(parents=True)
    kept = tmp_path / "src" / "city" / "cars" / "__init__.py"
    kept.write_text("KEPT = True\n")
    ended = await agentbus("proto", "protos", "--out", "src", "--json", cwd=tmp_path)
    assert (ended.status, ended.err) == (0, "")
    generated = {f"src/city/{n}/v1/{n}_pb2.{e}" for n in ("cars", "roads") for e in ("py", "pyi")}
    markers = {f"src/city/{part}__init__.py" for part in ("", "roads/", "roads/v1/", "cars/v1/")}
    assert set(ended.objects[0]["written"]) == generated | markers
    assert kept.read_text() == "KEPT = True\n"
    assert not (tmp_path / "src" / "__init__.py").exists()
    code = "from city.cars.v1.cars_pb2 import Car; c = Car(); c.on.name = 'A1'; print(c.on.name)"
    done = subprocess.run(  # noqa: ASYNC221 - a second, and nothing else runs
        [sys.executable, "-c", code],
        cwd=tmp_path / "src",
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    assert done.stdout == "A1\n"


async def test_it_writes_here_unless_told(protos: Path, tmp_path: Path) -> None:
    ended = await agentbus("proto", "protos", cwd=tmp_path)
    assert ended.status == 0
    assert "city/cars/v1/cars_pb2.py" in ended.out.splitlines()
    assert (tmp_path / "city" / "cars" / "v1" / "cars_pb2.pyi").is_file()


async def test_nothing_is_written_when_one_file_does_not_compile(protos: Path, tmp_path: Path) -> None:
    (protos / "city" / "broken.proto").write_text('syntax = "proto3";\nmessage X { strng a = 1; }\n')
    ended = await agentbus("proto", "protos", cwd=tmp_path)
    assert ended.status == 1
    assert re.search(r'error: ConfigurationError: protoc: city/broken\.proto:2:\d+: "strng" is not defined', ended.err)
    assert ended.err.count("\n") == 1
    assert not (tmp_path / "city").exists()


async def test_a_folder_without_protos_is_named(tmp_path: Path) -> None:
    ended = await agentbus("proto", "nowhere", cwd=tmp_path)
    assert "error: AgentNotFound: 'nowhere' is not a folder" in ended.err
    ended = await agentbus("proto", ".", cwd=tmp_path)
    assert ended.err == "error: AgentNotFound: no .proto files in '.'\n"


def tool(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_protoc_is_looked_for_beside_python_then_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside, path = tmp_path / "beside", tmp_path / "path"
    for folder in (beside, path):
        folder.mkdir()
        tool(folder / "protoc", "exit 0")
    monkeypatch.setattr(sys, "executable", str(beside / "python"))
    monkeypatch.setenv("PATH", str(path))
    assert protoc.find_protoc() == [str(beside / "protoc")]
    (beside / "protoc").unlink()
    assert protoc.find_protoc() == [str(path / "protoc")]
    (path / "protoc").unlink()
    with pytest.raises(AgentNotFound, match=r"there is no protoc: pip install 'agentbus-network\[proto\]'"):
        protoc.find_protoc()
    (tmp_path / "grpc_tools").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert protoc.find_protoc() == [sys.executable, "-m", "grpc_tools.protoc"]


def test_code_that_the_installed_protobuf_does_not_run_is_refused(protos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(
        ConfigurationError, match=r"makes code for protobuf 99\.1\.0, which the installed .* does not run"
    ):
        protoc.check_version("# x\n# Protobuf Python Version: 99.1.0\n", "x_pb2.py")
    protoc.check_version("# Protobuf Python Version: 5.29.4\n", "x_pb2.py")
    protoc.check_version("# of old\n", "x_pb2.py")
    assert protoc.compile_python(protos, out)


def test_a_protoc_that_is_too_new_leaves_the_folder_as_it_was(
    protos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = 'for word; do case "$word" in --python_out=*) out="${word#*=}";; esac; done\n'
    tool(tmp_path / "protoc", text + 'echo "# Protobuf Python Version: 99.0.0" > "$out/new_pb2.py"')
    monkeypatch.setattr(protoc, "find_protoc", lambda: [str(tmp_path / "protoc")])
    with pytest.raises(ConfigurationError, match=r"pip install 'protobuf==99\.\*,>=99\.0\.0', or use another protoc"):
        protoc.compile_python(protos, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_can_not_be_written_is_named(protos: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(ConfigurationError, match=r"can't write to .*out"):
        protoc.compile_python(protos, tmp_path / "out")


def test_a_set_without_its_imports_is_named(protos: Path) -> None:
    from agentbus.cli.known_types import KnownTypes

    target = protos / "set"
    words = ["-I", str(protos), "-o", str(target), "city/cars/v1/cars.proto"]
    subprocess.run([*protoc.find_protoc(), *words], check=True, env=os.environ)
    with pytest.raises(
        ConfigurationError, match=r"city/cars/v1/cars.proto imports city/roads/v1/roads.proto, which is"
    ):
        KnownTypes().add_set(target.read_bytes(), "'set'")


def test_a_set_may_lack_the_well_known_types(tmp_path: Path) -> None:
    from agentbus.cli.known_types import KnownTypes

    imports = 'import "google/protobuf/timestamp.proto";'
    text = CITY.format(name="clock", imports=imports, message="Tick", fields="google.protobuf.Timestamp at = 1;")
    (tmp_path / "clock.proto").write_text(text)
    target = tmp_path / "set"
    subprocess.run([*protoc.find_protoc(), "-I", str(tmp_path), "-o", str(target), "clock.proto"], check=True)
    known = KnownTypes()
    known.add_set(target.read_bytes(), "'set'")
    assert known.named("Tick") == "city.clock.v1.Tick"
    known.made("city.clock.v1.Tick", {"at": "2026-01-01T00:00:00Z"})
    assert known.read("city.clock.v1.Tick", b"\x0a\x02\x08\x01") == {"at": "1970-01-01T00:00:01Z"}
