"""Locks between processes, and the folder they lie in.

A `FileLock` is a BSD file lock: the kernel frees it when the last descriptor of it is closed, so also after
``kill -9``. It is bound to this process: a program that is executed does not inherit it, and in a child made by
`os.fork` it is closed, for otherwise it would be held until the child ends too.
"""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path
from weakref import WeakSet

from agentbus.errors import ServerFailed

_HELD: WeakSet[FileLock] = WeakSet()
"""What a forked child has to close."""


class FileLock:
    """A held lock on a file."""

    def __init__(self, path: Path, fd: int) -> None:
        self._path = path
        self._fd: int | None = fd
        _HELD.add(self)

    @property
    def fd(self) -> int:
        """The descriptor that holds the lock. Raises `ServerFailed` after `release`."""
        if self._fd is None:
            raise ServerFailed(
                f"the lock on {self._path} was released, or belongs to the process this one is a fork of"
            )
        return self._fd

    @property
    def held(self) -> bool:
        """Whether this process still holds the lock, and on the file that is now at the path."""
        return self._fd is not None and _is_at(self._fd, self._path)

    def release(self) -> None:
        """Frees the lock, also for forked children that have not closed it. A second call does nothing."""
        if self._fd is not None:
            fcntl.flock(self._fd, fcntl.LOCK_UN)
            self.forget()

    def forget(self) -> None:
        """Closes this process's descriptor; the lock stays with whom it was handed to."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def try_lock(path: Path, *, shared: bool) -> FileLock | None:
    """Takes the lock of a file, which is made if need be, or returns None at once if others are in the way.

    Raises:
        ServerFailed: the file can't be opened, or its file system has no locks.
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ServerFailed(f"can't open {path} ({error.strerror}): set AGENTBUS_HOME to a folder of yours") from error
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    except OSError as error:
        os.close(fd)
        raise ServerFailed(f"can't lock {path} ({error.strerror}): set AGENTBUS_HOME to a local disk") from error
    if not _is_at(fd, path):  # removed in the instant between
        os.close(fd)
        return None
    return FileLock(path, fd)


def make_private(folder: Path) -> Path:
    """Makes the folder, mode 0700, or checks that the one which is there is nobody else's. Returns its real path.

    Raises:
        ServerFailed: it belongs to another user or lets others in, or can't be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        real = folder.resolve(strict=True)
        status = real.stat()
    except OSError as error:
        raise ServerFailed(f"can't make {folder} ({error.strerror}): set AGENTBUS_HOME to a folder of yours") from error
    if status.st_uid != os.geteuid():
        raise ServerFailed(f"{real} belongs to another user (uid {status.st_uid}): choose another folder")
    if mode := stat.S_IMODE(status.st_mode) & 0o077:
        raise ServerFailed(f"{real} lets other users in (mode bits {mode:03o}): run `chmod 700 '{real}'`")
    if not str(real).isprintable():
        raise ServerFailed(f"{str(real)!r} has characters that a server's configuration can't spell: choose another")
    return real


def _is_at(fd: int, path: Path) -> bool:
    try:
        there, here = path.stat(), os.fstat(fd)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def _forget_all() -> None:
    for lock in list(_HELD):
        lock.forget()


os.register_at_fork(after_in_child=_forget_all)
