"""Whether the committed generated code is what protos/ says; run by `make check`."""

from __future__ import annotations

import filecmp
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main() -> int:
    """Generates into a temporary folder and compares; names what differs, is missing or has no source."""
    protos = sorted(path.relative_to(ROOT / "protos").as_posix() for path in (ROOT / "protos").rglob("*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        protoc = Path(sysconfig.get_path("scripts")) / "protoc"
        subprocess.run(
            [protoc, "-I", ROOT / "protos", f"--python_out={folder}", f"--pyi_out={folder}", *protos], check=True
        )
        fresh = {path.relative_to(folder) for path in Path(folder).rglob("*_pb2.py*") if path.suffix != ".pyc"}
        kept = {
            path.relative_to(ROOT)
            for place in ("agentbus", "examples")
            for path in (ROOT / place).rglob("*_pb2.py*")
            if path.suffix != ".pyc"
        }
        wrong = sorted(
            path
            for path in fresh | kept
            if path not in fresh or path not in kept or not filecmp.cmp(Path(folder) / path, ROOT / path, shallow=False)
        )
    for path in wrong:
        print(f"{path}: not what protos/ generates: run `make proto`", file=sys.stderr)
    print(f"generated code: {len(fresh)} files, {len(wrong)} out of date")
    return 1 if wrong or not fresh else 0


if __name__ == "__main__":
    sys.exit(main())
