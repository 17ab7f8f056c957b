"""Running protoc: where it is, what it makes of a folder of .proto files, and whether that can run here."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from google.protobuf import __version__ as runtime_text
from google.protobuf import runtime_version

from agentbus.errors import AgentNotFound, ConfigurationError

PROTOC_S = 120.0
"""Seconds that one run of protoc may take."""
_GENERATED_BY = re.compile(r"^# Protobuf Python Version: (\d+)\.(\d+)\.(\d+)(\S*)", re.MULTILINE)


def find_protoc() -> Sequence[str]:
    """How to call protoc: the one beside this Python, one on the path, or grpcio-tools'.

    Raises:
        AgentNotFound: there is none.
    """
    beside = shutil.which("protoc", path=str(Path(sys.executable).parent))
    found = beside or shutil.which("protoc")
    if found:
        return [found]
    if find_spec("grpc_tools"):
        return [sys.executable, "-m", "grpc_tools.protoc"]
    raise AgentNotFound("there is no protoc: pip install 'agentbus-network[proto]' brings one")


def proto_files(folder: Path) -> list[str]:
    """The .proto files in and below a folder, relative to it. Raises `AgentNotFound` when there are none."""
    if not folder.is_dir():
        raise AgentNotFound(f"{str(folder)!r} is not a folder: name the one that your .proto packages begin in")
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.proto") if path.is_file())
    if not files:
        raise AgentNotFound(f"no .proto files in {str(folder)!r}")
    return files


def compile_python(folder: Path, out: Path) -> list[Path]:
    """Compiles all .proto files of `folder` to Python and stubs below `out`; returns the files written, relative to it.

    Nothing is written unless all of it compiles and can run on the protobuf installed. Folders of packages get an
    ``__init__.py`` where they have none.

    Raises:
        AgentNotFound: no protoc, or no .proto files.
        ConfigurationError: a file does not compile, or protoc is too new, or too old, for the protobuf installed.
    """
    files = proto_files(folder)
    with tempfile.TemporaryDirectory(prefix="agentbus-proto-") as aside:
        _protoc(folder, files, [f"--python_out={aside}", f"--pyi_out={aside}"])
        made = sorted(path.relative_to(aside) for path in Path(aside).rglob("*.py*") if path.is_file())
        for path in made:
            if path.suffix == ".py":
                check_version((Path(aside) / path).read_text("utf-8"), path.as_posix())
        return _install(Path(aside), made, out)


def describe(folder: Path) -> bytes:
    """The descriptor set of all .proto files of `folder`, with what they import. Raises as `compile_python`."""
    files = proto_files(folder)
    with tempfile.TemporaryDirectory(prefix="agentbus-proto-") as aside:
        target = Path(aside) / "set"
        _protoc(folder, files, ["--include_imports", f"--descriptor_set_out={target}"])
        return target.read_bytes()


def check_version(generated: str, name: str) -> None:
    """Raises `ConfigurationError` when generated code can't run on the protobuf that is installed."""
    found = _GENERATED_BY.search(generated)
    if found is None:
        return  # protoc wrote none before 5.26, and such code runs on all that came after
    major, minor, patch = (int(number) for number in found.group(1, 2, 3))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            runtime_version.ValidateProtobufRuntimeVersion(
                runtime_version.Domain.PUBLIC, major, minor, patch, found[4], name
            )
    except runtime_version.VersionError as error:
        raise ConfigurationError(
            f"this protoc makes code for protobuf {major}.{minor}.{patch}, which the installed {runtime_text} does not "
            f"run: pip install 'protobuf=={major}.*,>={major}.{minor}.{patch}', or use another protoc"
        ) from error


def _protoc(folder: Path, files: Sequence[str], options: Sequence[str]) -> None:
    command = [*find_protoc(), f"--proto_path={folder}", *options, *files]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PROTOC_S, check=False)
    except subprocess.TimeoutExpired:
        raise ConfigurationError(f"protoc did not end within {PROTOC_S:g} s") from None
    except OSError as error:
        raise ConfigurationError(f"{command[0]} can't be run: {error.strerror}") from error
    if done.returncode:
        said = "; ".join((done.stderr or done.stdout).strip().splitlines()) or f"exit status {done.returncode}"
        raise ConfigurationError(f"protoc: {said}")


def _install(aside: Path, made: Sequence[Path], out: Path) -> list[Path]:
    written = list(made)
    try:
        for path in made:
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(aside / path, out / path)
        packages = sorted({package for path in made for package in path.parents if package.parts})
        for package in packages:
            marker = package / "__init__.py"
            if not (out / marker).exists():
                (out / marker).touch()
                written.append(marker)
    except OSError as error:
        raise ConfigurationError(f"can't write to {error.filename or out}: {error.strerror}") from error
    return sorted(written)
