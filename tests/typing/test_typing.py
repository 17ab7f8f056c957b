"""Two type checkers, in their strictest mode, pass right use and report each misuse, on the line where it stands."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BIN = Path(sys.executable).parent
WRONG = {number for number, line in enumerate((HERE / "misuse.py").read_text().splitlines(), 1) if "# wrong" in line}


def basedpyright(folder: Path) -> dict[str, set[int]]:
    """File name -> lines with an error."""
    settings = {
        "include": [str(HERE / "use.py"), str(HERE / "misuse.py")],
        "extraPaths": [str(ROOT)],
        "pythonVersion": "3.11",
        "typeCheckingMode": "strict",
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [BIN / "basedpyright", "--outputjson", "--pythonpath", sys.executable, "-p", folder]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    found: dict[str, set[int]] = {}
    for problem in json.loads(ran.stdout)["generalDiagnostics"]:
        found.setdefault(Path(problem["file"]).name, set()).add(problem["range"]["start"]["line"] + 1)
    return found


def mypy(folder: Path) -> dict[str, set[int]]:
    """File name -> lines with an error.

    Without stubs for protobuf every message is `Any` to mypy, and nothing can be inferred: its users install
    types-protobuf. The same stubs, typeshed's, come with basedpyright, and are taken from there.
    """
    package = importlib.util.find_spec("basedpyright")
    assert package is not None
    assert package.origin is not None
    stubs = Path(package.origin).parent / "dist" / "typeshed-fallback" / "stubs" / "protobuf"
    assert (stubs / "google" / "protobuf" / "message.pyi").exists(), f"no stubs in {stubs}: install types-protobuf"
    shutil.copytree(stubs, folder / "stubs")  # mypy takes no path inside site-packages
    settings = folder / "mypy.ini"
    settings.write_text(
        f"[mypy]\nstrict = True\npython_version = 3.11\nfollow_imports = silent\nmypy_path = {folder / 'stubs'}\n"
        "[mypy-google.*]\nignore_errors = True\n"
    )
    command = [BIN / "mypy", "--config-file", settings, "--cache-dir", folder / "cache", "--no-error-summary"]
    files = [HERE / "use.py", HERE / "misuse.py"]
    ran = subprocess.run([*command, *files], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    found: dict[str, set[int]] = {}
    for name, line in re.findall(r"^(\S+\.py):(\d+)(?::\d+)?: error", ran.stdout, re.MULTILINE):
        found.setdefault(Path(name).name, set()).add(int(line))
    return found


@pytest.mark.timeout(180)
@pytest.mark.parametrize("check", [basedpyright, mypy])
def test_right_use_passes_and_each_misuse_is_reported(check: object, tmp_path: Path) -> None:
    found = check(tmp_path)  # type: ignore[operator]
    assert found.get("use.py", set()) == set()
    assert found.get("misuse.py", set()) == WRONG
    assert set(found) <= {"misuse.py"}
