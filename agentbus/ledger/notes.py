"""Checkpoints, and the signed notes that they travel in. Pure but for the arithmetic of signatures.

A note is read in one form only: what is not, byte for byte, what writing it again gives is refused, so that no byte of
it can be altered without a trace.

Reference: C2SP tlog-checkpoint, signed-note, tlog-cosignature.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..errors import LedgerInvalid
from .merkle import HASH_BYTES
from .signing import COSIGNATURE, NOTE, Key, Signer

MAX_NOTE = 64 << 10
"""Bytes."""
MAX_SIGNATURES = 64
MAX_SIZE = 1 << 63

_DASH = "\u2014 "


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says that it is at one size.

    Attributes:
        origin: the log's name.
        size: records.
        root: of the tree over them.
    """

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """As it is signed."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Of a note's text. Lines beyond the third belong to no checkpoint of ours. Raises `LedgerInvalid`."""
        lines = text.split("\n")
        if len(lines) == 4 and lines[1].isascii() and lines[1].isdecimal() and len(lines[1]) < 20:
            size, root = int(lines[1]), _decoded(lines[2])
            found = cls(lines[0], size, root)
            if lines[0] and len(root) == HASH_BYTES and size < MAX_SIZE and found.text == text:
                return found
        raise LedgerInvalid("not a checkpoint: it takes three lines, of origin, size and root in base64")


@dataclass(frozen=True, slots=True)
class Signature:
    """A line below a note: whose it is, by name and id, and the signature."""

    name: str
    key_id: bytes
    content: bytes

    @property
    def line(self) -> str:
        """As it is written."""
        return f"{_DASH}{self.name} {b64encode(self.key_id + self.content).decode()}\n"

    @classmethod
    def parse(cls, line: str) -> Signature:
        """Raises `LedgerInvalid`."""
        name, _, content = line.removeprefix(_DASH).removesuffix("\n").partition(" ")
        decoded = _decoded(content)
        found = cls(name, decoded[:4], decoded[4:])
        if not name or not found.content or found.line != line:
            raise LedgerInvalid("a signature line that is not: — NAME BASE64")
        return found

    def is_by(self, key: Key) -> bool:
        """Whether it says that it is by this key."""
        return self.name == key.name and self.key_id == key.id


@dataclass(frozen=True, slots=True)
class Note:
    """A text and its signatures.

    Attributes:
        text: ends with a newline.
        signatures: not verified.
    """

    text: str
    signatures: tuple[Signature, ...] = ()

    @classmethod
    def parse(cls, content: bytes) -> Note:
        """Raises `LedgerInvalid` for what is no note."""
        if len(content) > MAX_NOTE:
            raise LedgerInvalid(f"a note of {len(content)} bytes: {MAX_NOTE} are allowed")
        try:
            whole = content.decode()
        except UnicodeDecodeError:
            raise LedgerInvalid("not a note: it is not UTF-8") from None
        text, blank, below = whole.rpartition("\n\n")
        lines = below.split("\n")
        if not blank or lines[-1] or len(lines) > MAX_SIGNATURES or any(c < " " and c != "\n" for c in whole):
            raise LedgerInvalid("not a signed note: it takes a text, an empty line, and lines of signatures")
        return cls(text + "\n", tuple(Signature.parse(f"{line}\n") for line in lines[:-1]))

    def __bytes__(self) -> bytes:
        return f"{self.text}\n{''.join(signature.line for signature in self.signatures)}".encode()

    @property
    def checkpoint(self) -> Checkpoint:
        """What it says, believed or not. Raises `LedgerInvalid`."""
        return Checkpoint.parse(self.text)

    def signed_by(self, key: Key) -> bool:
        """Whether this key has signed it. Raises `LedgerInvalid` for a signature that says so and is wrong."""
        lines = [signature for signature in self.signatures if signature.is_by(key)]
        for signature in lines:
            if not _verifies(key, self.text, signature.content):
                raise LedgerInvalid(f"the signature of {key.name!r} is not of this text: one of them was altered")
        return bool(lines)

    def plus(self, signatures: Iterable[Signature]) -> Note:
        """The note with more signatures, each once."""
        return replace(self, signatures=tuple(dict.fromkeys([*self.signatures, *signatures])))


def sign(checkpoint: Checkpoint, signer: Signer) -> Note:
    """The checkpoint as a note that its log has signed."""
    text = checkpoint.text
    return Note(text, (Signature(signer.name, Key.of(signer, NOTE).id, signer.sign(text.encode())),))


def cosign(note: Note, signer: Signer, time_s: int) -> Signature:
    """A witness's line below a note: that at this time, seconds since 1970, it had seen nothing newer of the log, and
    nothing that contradicts it."""
    content = time_s.to_bytes(8, "big") + signer.sign(_cosigned(note.text, time_s))
    return Signature(signer.name, Key.of(signer, COSIGNATURE).id, content)


def open_checkpoint(content: bytes, key: Key | None = None) -> tuple[Note, Checkpoint]:
    """A note that the log's key has signed, and the checkpoint that it says. Without a key no signature is verified.

    Raises:
        LedgerInvalid: it is no note, no checkpoint, of another origin, or not signed by the key.
    """
    note = Note.parse(content)
    checkpoint = note.checkpoint
    if key is not None and checkpoint.origin != key.name:
        raise LedgerInvalid(f"a checkpoint of {checkpoint.origin!r}, not of {key.name!r}")
    if key is not None and not note.signed_by(key):
        raise LedgerInvalid(f"the checkpoint is not signed by {key.name!r}")
    return note, checkpoint


def is_fork(one: bytes, other: bytes, key: Key) -> bool:
    """Whether two notes prove that the log has told two stories: both signed by its key, of one size, with different
    roots. Raises `LedgerInvalid` when one of them is not the log's."""
    first, second = open_checkpoint(one, key)[1], open_checkpoint(other, key)[1]
    return first.size == second.size and first.root != second.root


def _cosigned(text: str, time_s: int) -> bytes:
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()


def _verifies(key: Key, text: str, content: bytes) -> bool:
    if key.kind == NOTE:
        return key.verifies(text.encode(), content)
    time_s = int.from_bytes(content[:8], "big")
    return time_s < MAX_SIZE and key.verifies(_cosigned(text, time_s), content[8:])


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (Error, ValueError):
        raise LedgerInvalid(f"not base64: {text[:100]!r}") from None
