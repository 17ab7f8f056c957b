"""Compile a folder of .proto files to Python and type stubs.

Folders of packages get an __init__.py where they have none. Nothing is written unless all of it compiles and can run
on the protobuf that is installed. Wants a protoc: pip install 'agentbus-network[proto]' brings one.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path


def configure(parser: ArgumentParser) -> None:
    """The command's words."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="where your .proto packages begin")
    parser.add_argument(
        "--out", metavar="DIR", type=Path, default=Path(), help="where your Python packages begin (default: here)"
    )


def execute(arguments: Namespace) -> int:
    """Compiles; lists the files written."""
    from .output import line, record
    from .protoc import compile_python

    written = [str(arguments.out / path) for path in compile_python(arguments.folder, arguments.out)]
    if arguments.json:
        record({"written": written})
    else:
        for path in written:
            line(path)
    return 0
