"""Whether a log is what it says it is: all of it hashed again, from its files alone, against checkpoints.

Records and tiles must agree with the root that the log has signed, and with that of each checkpoint that a witness
holds: a log that was altered and signed anew by its own key agrees with itself, and not with them. What is altered is
found by going down from the root: a tile is believed when its own root is the hash that a believed tile has of it.

Reference: RFC 6962, section 2.1; C2SP tlog-tiles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..errors import LedgerInvalid
from .comparing import Comparison
from .contents import content_of
from .disk import LOCK, TEMPORARY, Disk
from .notes import Checkpoint, open_checkpoint
from .reading import ATTEMPTS, Finding, Reader
from .signing import COSIGNATURE, NOTE, Key
from .store import CHECKPOINT, JOURNAL, WITNESSED, Batch
from .tiles import BUNDLE, WIDTH, Place, place_of

MAX_FINDINGS = 10_000
"""More are not listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What an audit has found.

    Attributes:
        checkpoint: of the log's folder; None when it can't be read.
        findings: what is wrong; nothing, of a log that is whole.
        pending: records in the journal that are under no checkpoint yet, and that nothing vouches for.
        agreed: the size of the largest checkpoint, of those that were handed over and that which lies with the log as
            witnessed, that the log agrees with; 0 without one.
        witnessed: the same, when cosignatures were verified; else 0.
    """

    checkpoint: Checkpoint | None
    findings: tuple[Finding, ...]
    pending: int = 0
    agreed: int = 0
    witnessed: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    @property
    def first_broken(self) -> int | None:
        """The number of the first record that is in doubt."""
        return min((finding.index for finding in self.findings if finding.index is not None), default=None)


def verify(
    folder: Path, keys: Iterable[Key] = (), checkpoints: Sequence[bytes] = (), *, quorum: int | None = None
) -> Report:
    """Audits the log in a folder; it may be growing meanwhile.

    Args:
        folder: where it lies.
        keys: the log's (a key that signs notes), and its witnesses' (keys that cosign). Without the log's, no signature
            is verified: whoever has rewritten the files may have signed them.
        checkpoints: notes that witnesses hold of this log.
        quorum: how many of the witnesses must have cosigned the checkpoint that lies with the log as witnessed; by
            default all whose keys are given. One that is handed over is by one of them at least.
    """
    return _Audit(folder, list(keys), quorum).run(checkpoints)


class _Audit:
    """One audit."""

    def __init__(self, folder: Path, keys: list[Key], quorum: int | None) -> None:
        self._folder = folder
        self._log = next((key for key in keys if key.kind == NOTE), None)
        self._witnesses = [key for key in keys if key.kind == COSIGNATURE]
        self._quorum = len(self._witnesses) if quorum is None else quorum
        self._findings: list[Finding] = []

    def run(self, given: Sequence[bytes]) -> Report:
        # Both before the checkpoint, which is written between them: so a log that grows meanwhile shows no gap.
        batches, beside = self._read_journal(), self._beside()
        own = self._own()
        if own is None:
            return self._report(None)
        paths = Disk(self._folder).paths()
        if self._lacks(own.size, paths):
            return self._report(own)
        others = list(self._others(given, beside, own))
        reader = Reader(self._folder, own.size)
        comparison = Comparison(reader, own.root)
        self._findings += comparison.run({other.size for _, other in others if other.size <= own.size})
        agreed = self._agree(own, others, comparison.roots)
        pending = self._journal(reader, batches)
        self._strays(reader, paths)
        return self._report(own, pending, agreed)

    def _report(self, checkpoint: Checkpoint | None, pending: int = 0, agreed: int = 0) -> Report:
        ordered = sorted(self._findings, key=lambda found: (found.index is None, found.index or 0))
        return Report(
            checkpoint=checkpoint,
            findings=tuple(ordered[:MAX_FINDINGS]),
            pending=pending,
            agreed=agreed,
            witnessed=agreed if self._witnesses else 0,
        )

    def _find(self, text: str, index: int | None = None, path: str = "") -> None:
        self._findings.append(Finding(text, index, path))

    # -- checkpoints -----------------------------------------------------------------------------------------------

    def _own(self) -> Checkpoint | None:
        try:
            return open_checkpoint(content_of(self._folder / CHECKPOINT), self._log)[1]
        except OSError as error:
            self._find(f"the checkpoint can't be read: {error.strerror}", path=CHECKPOINT)
        except LedgerInvalid as error:
            self._find(str(error), path=CHECKPOINT)
        return None

    def _beside(self) -> bytes | None:
        try:
            return content_of(self._folder / WITNESSED)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._find(f"{WITNESSED} can't be read: {error.strerror}", path=WITNESSED)
            return None

    def _others(
        self, given: Sequence[bytes], beside: bytes | None, own: Checkpoint
    ) -> Iterator[tuple[str, Checkpoint]]:
        """The checkpoints of witnesses: those that were handed over, and that which lies with the log."""
        notes = [(f"checkpoint {number} given", content) for number, content in enumerate(given, 1)]
        if beside is not None:
            notes.append((WITNESSED, beside))
        elif self._witnesses and not given:
            self._find("no checkpoint that witnesses have cosigned: give one with --checkpoint", path=WITNESSED)
        for name, content in notes:
            try:
                note, checkpoint = open_checkpoint(content, self._log)
                if checkpoint.origin != own.origin:
                    raise LedgerInvalid(f"a checkpoint of {checkpoint.origin!r}, not of {own.origin!r}")
                signed = [key.name for key in self._witnesses if note.signed_by(key)]
                missing = [key.name for key in self._witnesses if key.name not in signed]
                needed = self._quorum if name == WITNESSED else min(1, len(self._witnesses))
                if len(signed) < needed:
                    raise LedgerInvalid(f"not cosigned by {', '.join(missing)}")
            except LedgerInvalid as error:
                self._find(f"{name}: {error}", path=name if name == WITNESSED else "")
            else:
                yield name, checkpoint

    def _agree(self, own: Checkpoint, others: Sequence[tuple[str, Checkpoint]], roots: Mapping[int, bytes]) -> int:
        """Compares the roots at the checkpoints' sizes; returns the largest of a witness's that is as it says."""
        agreed = 0
        good = [checkpoint.size for _, checkpoint in others if roots.get(checkpoint.size) == checkpoint.root]
        for name, checkpoint in others:
            if checkpoint.size > own.size:
                text = f"{name}: it is of {checkpoint.size} records, and the log has {own.size}: it was cut off"
                self._find(text, own.size)
            elif roots.get(checkpoint.size) == checkpoint.root:
                agreed = max(agreed, checkpoint.size)
            elif checkpoint.size == own.size and checkpoint.root != own.root:
                text = f"{name}: a fork: two checkpoints of {own.size} records with different roots"
                self._find(text, max([size for size in good if size < own.size], default=0))
            elif not self._broken_before(checkpoint.size):
                text = f"{name}: the first {checkpoint.size} records are not those that were cosigned"
                self._find(text, max([size for size in good if size < checkpoint.size], default=0))
        return agreed

    def _broken_before(self, size: int) -> bool:
        return any(found.index is not None and found.index < size for found in self._findings)

    # -- what else lies there --------------------------------------------------------------------------------------

    def _read_journal(self) -> list[Batch]:
        disk = Disk(self._folder)
        for attempt in range(ATTEMPTS):
            written = disk.is_written()
            try:
                batches = disk.journal(mend=False)
            except FileNotFoundError:
                if attempt + 1 < ATTEMPTS:
                    continue  # whoever writes the log has just dropped it
                self._find("the journal can't be read: it is dropped faster than that", path=JOURNAL)
            except LedgerInvalid as error:
                self._find(str(error), error.index, error.path)
            except OSError as error:
                self._find(f"the journal can't be read: {error.strerror}", path=JOURNAL)
            else:
                if disk.torn and not written:
                    end = batches[-1][0] + len(batches[-1][1]) if batches else None
                    self._find(f"the last {disk.torn} bytes of the journal are no whole record", end, JOURNAL)
                return batches
            break
        return []

    def _journal(self, reader: Reader, batches: Sequence[Batch]) -> int:
        """Compares what the journal still has of records that are in tiles; returns how many are in none."""
        end = reader.size
        bundle = lru_cache(1)(reader.bundle)
        for first, entries in batches:
            if first > end:
                self._find(f"record {end} is missing in the journal", end, JOURNAL)
            for index, entry in enumerate(entries, first):
                if index < reader.size and not self._is(bundle, index, entry):
                    self._find(f"the journal has another record {index} than the log", index, JOURNAL)
            end = max(end, first + len(entries))
        return end - reader.size

    def _is(self, bundle: Callable[[int], tuple[list[bytes], bool]], index: int, entry: bytes) -> bool:
        try:
            entries, whole = bundle(index // WIDTH)
        except LedgerInvalid:
            return True  # it was found already that the log's is not there
        return not whole or entries[index % WIDTH] == entry

    def _strays(self, reader: Reader, paths: Iterable[str]) -> None:
        """Files that no log of this size has: narrower tiles of the past must be what the wider begin with."""
        known = (CHECKPOINT, WITNESSED)
        for path in paths:
            if path in known or path == LOCK or path.startswith(JOURNAL) or path.endswith(TEMPORARY):
                continue
            place = place_of(path)
            if place is None:
                self._find(f"{path} belongs to no log", path=path)
                continue
            now = reader.place(place.level, place.number)
            if 0 < place.width < now.width and not self._begins(reader, now, place):
                self._find(f"{path}, of the past, is not what {now.path} begins with", place.first, path)

    def _lacks(self, size: int, paths: Iterable[str]) -> bool:
        """Whether too many bundles are missing to look for each: anybody can write down a size."""
        widths: dict[int, int] = {}
        for place in filter(None, map(place_of, paths)):
            if place.level == BUNDLE:
                widths[place.number] = max(place.width, widths.get(place.number, 0))
        if -(-size // WIDTH) - len(widths) <= MAX_FINDINGS:
            return False
        number = 0
        while widths.get(number) == WIDTH:
            number += 1
        first = number * WIDTH + widths.get(number, 0)
        self._find(f"the checkpoint says {size} records, and those from {first} on are missing", first)
        return True

    def _begins(self, reader: Reader, now: Place, past: Place) -> bool:
        try:
            whole, content = reader.find(now)[1], content_of(self._folder / past.path)
        except (LedgerInvalid, FileNotFoundError):
            return True  # found already, or gone already
        except OSError:
            return False
        return whole.startswith(content) and (past.level == BUNDLE or len(content) == 32 * past.width)
