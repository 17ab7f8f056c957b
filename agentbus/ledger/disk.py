"""A log's files on a disk: written whole or not at all, synced, and a journal that survives `kill -9` and power cuts.

The journal is made of segments, ``journal/FIRST``, each of batches: length and CRC-32, four bytes each, little-endian,
and a bundle of records. A batch was acknowledged when it was synced; so what is torn at the end of the last segment
was not, and is cut off when the log is opened.
"""

from __future__ import annotations

import errno
import os
import struct
import threading
import zlib
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import LedgerInvalid, StorageFailed
from .contents import content_of
from .store import JOURNAL, Batch
from .syncing import syncing_all
from .tiles import File, decode_bundle, encode_bundle

SYNCS = 8
"""Files that are synced at once, where there is no syncing of all: the disk's own queue makes one of many."""
SEGMENT = 64 << 20
"""Bytes of the journal in one file, and what one batch has more."""
MAX_SEGMENT = 1 << 31
SEARCHED = 1 << 31
"""Bytes that are summed up at most to tell a torn batch from an altered one."""
LOCK = "lock"
TEMPORARY = ".new"

_HEAD = struct.Struct("<II")


class Disk:
    """The files below one folder.

    Args:
        root: the folder; made when it is missing.
        sync: whether to wait until the disk has it. Without it a power cut loses more, and breaks more; a killed
            process does not.

    Attributes:
        torn: bytes at the journal's end that were no whole batch, when it was read last.
    """

    def __init__(self, root: Path, *, sync: bool = True) -> None:
        self.root = root
        self.torn = 0
        self._sync = sync
        self._lock: int | None = None
        self._segment: int | None = None  # the open file
        self._length = 0  # of it, as far as it was acknowledged
        self._damaged = False  # whether more may stand in it than that
        self._files = threading.Lock()  # who has waited for a write may be gone, and the next begin before it is over
        self._journal = threading.Lock()
        self._pool = ThreadPoolExecutor(SYNCS, thread_name_prefix="ledger-sync")
        self._unsettled: list[Path] = []  # what was put since the last `settle`
        self._folder: int | None = None  # the root, open: what fails to reach the disk from then on is told to it
        self._sync_at_once = None

    def open(self) -> None:
        """Takes the folder for this process. Raises `LedgerInvalid` when another has it."""
        import fcntl

        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.turn_journal()  # of a life that ended without closing: what it wrote is read anew
        if self._lock is not None:
            return
        lock = os.open(self.root / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise StorageFailed(f"{self.root}: {error.strerror}") from None
            raise LedgerInvalid(f"{self.root} is being written by another process: a log has one writer") from None
        self._lock = lock
        self._sync_at_once = syncing_all(self.root)
        self._folder = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        """Gives the folder back, when what is being written is."""
        self.turn_journal()
        with self._files:
            self._pool.shutdown(wait=True)
            self._pool = ThreadPoolExecutor(SYNCS, thread_name_prefix="ledger-sync")  # its threads begin when needed
            for descriptor in (self._lock, self._folder):
                if descriptor is not None:
                    os.close(descriptor)
            self._lock = self._folder = None

    def is_written(self) -> bool:
        """Whether a process writes here now."""
        try:
            import fcntl

            lock = os.open(self.root / LOCK, os.O_RDONLY | os.O_CLOEXEC)
        except (ImportError, OSError):
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(lock)
        return False

    # -- files -----------------------------------------------------------------------------------------------------

    def read(self, path: str) -> bytes | None:
        """What lies there."""
        try:
            return content_of(self.root / path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StorageFailed(f"{self.root / path}: {error.strerror or error}") from error

    def put(self, files: Sequence[File]) -> None:
        """Each file whole or not at all. They outlast a power cut when `settle` has returned."""
        made: set[Path] = set()
        for file in files:
            with self._files, _failing(self.root):  # one by one: nobody waits here for all of them
                self._put(file, made, sync=False)
                self._unsettled.append(self.root / file[0])

    def settle(self) -> None:
        """Returns when the disk has all that was put. Raises `StorageFailed`: put all of it again."""
        with self._files, _failing(self.root):
            unsettled, self._unsettled = self._unsettled, []
            if not unsettled or not self._sync:
                return
            if self._sync_at_once is not None and self._folder is not None:
                self._sync_at_once(self._folder)
            else:
                list(self._pool.map(_sync_file, unsettled))
                self._sync_folders({path.parent for path in unsettled})

    def write(self, files: Sequence[File]) -> None:
        """Each file whole or not at all, one after the other, under its name only when its content is on the disk."""
        with self._files, _failing(self.root):
            for file in files:
                self._put(file, set(), sync=self._sync)
                self._sync_folders({(self.root / file[0]).parent})

    def _put(self, file: File, made: set[Path], *, sync: bool) -> None:
        path, content = file
        target = self.root / path
        if target.parent not in made:
            target.parent.mkdir(parents=True, exist_ok=True)
            made.add(target.parent)
        fresh = f"{target}{TEMPORARY}"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _write_all(descriptor, content)
            if sync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(fresh, target)

    def _sync_folders(self, folders: set[Path]) -> None:
        if self._sync:
            for each in {above for folder in folders for above in (folder, *folder.parents) if self._holds(above)}:
                _sync_file(each)

    def _holds(self, folder: Path) -> bool:
        return folder == self.root or self.root in folder.parents

    def remove(self, paths: Iterable[str]) -> None:
        """Takes files away, and folders of partial tiles that are empty then."""
        with self._files, _failing(self.root):
            for path in paths:
                target = self.root / path
                target.unlink(missing_ok=True)
                if target.parent.suffix == ".p":
                    with suppress(OSError):
                        target.parent.rmdir()

    def paths(self) -> list[str]:
        """All files below the folder but its lock, in order."""
        found: list[str] = []
        folders = [self.root]
        while folders:  # a loop: of folders in folders there may be more than Python calls within calls
            with suppress(OSError), os.scandir(folders.pop()) as entries:  # what is removed meanwhile is passed over
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(Path(entry.path))
                    else:
                        found.append(Path(entry.path).relative_to(self.root).as_posix())
        return sorted(path for path in found if path != LOCK)

    # -- the journal -----------------------------------------------------------------------------------------------

    def append(self, first: int, entries: Sequence[bytes]) -> None:
        """Adds a batch. Raises `StorageFailed`: it is not there, and the next call will make sure of that."""
        content = encode_bundle(entries)
        with self._journal, _failing(self.root):
            if self._segment is not None and self._length >= SEGMENT:
                os.close(self._segment)
                self._segment = None
            segment = self._segment if self._segment is not None else self._begin_segment(first)
            if self._damaged:
                os.ftruncate(segment, self._length)
                os.lseek(segment, self._length, os.SEEK_SET)
            self._damaged = True
            _write_all(segment, _HEAD.pack(len(content), zlib.crc32(content)) + content)
            if self._sync:
                os.fdatasync(segment)
            self._damaged = False
            self._length += _HEAD.size + len(content)

    def _begin_segment(self, first: int) -> int:
        path = self.root / f"{JOURNAL}{first:020}"
        path.parent.mkdir(exist_ok=True)
        segment = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._segment, self._length, self._damaged = segment, os.lseek(segment, 0, os.SEEK_END), False
        self._sync_folders({path.parent})
        return segment

    def segments(self) -> list[tuple[int, Path]]:
        """The files of the journal, by the number of their first record."""
        found = (self.root / JOURNAL).glob("[0-9]*")
        return sorted((int(path.name), path) for path in found if path.name.isdecimal())

    def journal(self, *, mend: bool = True) -> list[Batch]:
        """What the journal holds. A torn end is cut off, or with `mend=False` passed over.

        Raises:
            LedgerInvalid: what is torn is followed by more.
            FileNotFoundError: a segment was dropped while it was read, by whoever writes here.
        """
        segments = self.segments()
        batches: list[Batch] = []
        self.torn = 0
        for first, path in segments:
            content = content_of(path, MAX_SEGMENT)
            read, whole = _batches(first, content)
            batches.extend(read)
            if whole == len(content):
                continue
            if path != segments[-1][1] or _goes_on(content, whole):
                number = read[-1][0] + len(read[-1][1]) if read else first
                name = path.relative_to(self.root).as_posix()
                raise LedgerInvalid(f"the journal is altered at record {number}", index=number, path=name)
            self.torn = len(content) - whole
            if mend:
                os.truncate(path, whole)
        return batches

    def turn_journal(self) -> None:
        """The next batch begins a segment."""
        with self._journal:
            if self._segment is not None:
                os.close(self._segment)
                self._segment = None

    def drop_journal(self, before: int) -> None:
        """Forgets the segments that begin before this record."""
        for first, path in self.segments():
            if first < before:
                path.unlink(missing_ok=True)


def _batches(first: int, content: bytes) -> tuple[list[Batch], int]:
    """The batches of a segment as far as they are whole, and where they end."""
    batches: list[Batch] = []
    at = 0
    while at + _HEAD.size <= len(content):
        length, check = _HEAD.unpack_from(content, at)
        bundle = content[at + _HEAD.size : at + _HEAD.size + length]
        if not length or len(bundle) < length or zlib.crc32(bundle) != check:
            break
        try:
            entries = decode_bundle(bundle)
        except LedgerInvalid:
            break
        batches.append((first, entries))
        first += len(entries)
        at += _HEAD.size + length
    return batches, at


def _goes_on(content: bytes, at: int) -> bool:
    """Whether a whole batch comes after what is not whole: then it was altered, not torn. So it is taken to be, too,
    when it looks as if it could be in too many places: what was acknowledged must not be cut off."""
    view, left = memoryview(content), SEARCHED
    for begin in range(at + 1, len(content) - _HEAD.size):
        length, check = _HEAD.unpack_from(content, begin)
        end = begin + _HEAD.size + length
        if length > 0 and end <= len(content):
            left -= length
            if left < 0 or zlib.crc32(view[begin + _HEAD.size : end]) == check:
                return True
    return False


def _sync_file(path: Path) -> None:
    """A file, or a folder's names."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


@contextmanager
def _failing(root: Path) -> Generator[None]:
    """Tells what a disk refuses as `StorageFailed`."""
    try:
        yield
    except OSError as error:
        raise StorageFailed(f"{root}: {error.strerror or error}") from error
