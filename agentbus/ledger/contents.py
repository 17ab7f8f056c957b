"""Files that somebody else may have made: read whole, if they are files, and no longer than what they are can be."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from .notes import MAX_NOTE
from .tiles import MAX_ENTRY, WIDTH

MAX_FILE = max(MAX_NOTE, WIDTH * (MAX_ENTRY + 2))
"""Bytes of a note, a tile or a bundle."""


def content_of(path: Path, most: int = MAX_FILE) -> bytes:
    """What lies there. A pipe would be waited at for ever, and a long file be the end of the memory.

    Raises:
        OSError: it can't be read, is no file, or has more than `most` bytes.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        about = os.fstat(descriptor)
        if stat.S_ISDIR(about.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(about.st_mode):
            raise OSError(errno.EINVAL, "not a file", str(path))
        if about.st_size > most:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
        return file.read()
