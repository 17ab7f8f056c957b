"""The message types that a command knows, by full or short name: from Python modules and from descriptor sets."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import Descriptor, FileDescriptor
from google.protobuf.message import DecodeError, Message

from agentbus.errors import AgentNotFound, ConfigurationError, SchemaMismatch

from .failures import UsageError
from .imports import import_here

MAX_DEPTH = 64
"""Messages nested deeper than that are not read."""


class KnownTypes:
    """Message types by name. Of two of one full name the first known stays."""

    def __init__(self) -> None:
        self._types: dict[str, type[Message]] = {}
        self._pools: dict[str, descriptor_pool.DescriptorPool] = {}

    def add_file(self, file: FileDescriptor, pool: descriptor_pool.DescriptorPool) -> None:
        """Makes the file's messages known, nested ones too."""
        for descriptor in _messages(file.message_types_by_name.values()):
            if descriptor.full_name not in self._types:
                self._types[descriptor.full_name] = message_factory.GetMessageClass(descriptor)
                self._pools[descriptor.full_name] = pool

    def add_loaded(self) -> None:
        """Makes the types of all generated modules known that have been imported."""
        for module in list(sys.modules.values()):
            file = getattr(module, "__dict__", {}).get("DESCRIPTOR")
            if isinstance(file, FileDescriptor):
                self.add_file(file, descriptor_pool.Default())

    def add_set(self, content: bytes, what: str) -> None:
        """Makes a descriptor set's types known.

        Raises:
            ConfigurationError: it isn't one, or it lacks a file that another of its files imports.
        """
        try:
            files = list(descriptor_pb2.FileDescriptorSet.FromString(content).file)
        except DecodeError:
            files = list[descriptor_pb2.FileDescriptorProto]()
        if not files:
            raise ConfigurationError(f"{what} is no descriptor set: make it with protoc --include_imports -o FILE")
        pool = descriptor_pool.DescriptorPool()
        waiting = {file.name: file for file in files}

        def add(name: str, wanted_by: str) -> None:
            file = waiting.pop(name, None)
            if file is None:
                _borrow(pool, name, wanted_by)
                return
            for dependency in file.dependency:
                add(dependency, f"{what}: {name}")
            pool.AddSerializedFile(file.SerializeToString())

        try:
            for file in files:
                if file.name in waiting:
                    add(file.name, what)
        except TypeError as error:
            raise ConfigurationError(f"{what} can't be loaded: {error}") from error
        for file in files:
            self.add_file(pool.FindFileByName(file.name), pool)

    def get(self, full_name: str) -> type[Message] | None:
        """The type of that full name, or None."""
        return self._types.get(full_name)

    def kind(self, full_name: str) -> type[Message]:
        """The type of that full name, which must be known."""
        return self._types[full_name]

    def named(self, name: str) -> str | None:
        """The full name that a full or short name means; None when no such type is known.

        Raises:
            UsageError: several types are called so.
        """
        return only(name, self._types)

    def read(self, full_name: str, payload: bytes) -> object:
        """The message in protobuf's JSON mapping. Raises `SchemaMismatch` when it can't be read."""
        try:
            message = self._types[full_name].FromString(payload)
            return json_format.MessageToDict(message, descriptor_pool=self._pools[full_name])
        except (DecodeError, TypeError, ValueError, RecursionError) as error:
            raise SchemaMismatch(f"not of type {full_name}: {error}") from None

    def made(self, full_name: str, value: Any) -> Message:
        """The message that a value in the type's JSON mapping says. Raises `UsageError` when it is not; unknown fields
        count, too."""
        message = self._types[full_name]()
        pool = self._pools[full_name]
        try:
            return json_format.ParseDict(value, message, descriptor_pool=pool, max_recursion_depth=MAX_DEPTH)
        except (json_format.ParseError, TypeError, ValueError, AttributeError) as error:
            raise UsageError(f"not of type {full_name}: {error}") from None


def load_types(modules: Sequence[str], descriptors: Sequence[str], protos: Sequence[str]) -> KnownTypes:
    """The types that ``--import``, ``--descriptors`` and ``--proto`` say, and those that come with agentbus.

    Raises:
        AgentNotFound: no such module or file.
        ConfigurationError: a file that is no descriptor set; a .proto file that does not compile.
    """
    known = KnownTypes()
    for module in modules:
        import_here(module)
    known.add_loaded()
    for name in descriptors:
        try:
            content = Path(name).read_bytes()
        except OSError as error:
            raise AgentNotFound(f"no descriptor set {name!r}: {error.strerror}") from error
        known.add_set(content, repr(name))
    for folder in protos:
        from .protoc import describe

        known.add_set(describe(Path(folder)), f"the .proto files in {folder!r}")
    return known


def only(name: str, full_names: Iterable[str]) -> str | None:
    """The one full name that `name` is, or is the end of. None for no such; `UsageError` for several."""
    found = set(full_names)
    if name in found:
        return name
    meant = sorted(full for full in found if full.endswith(f".{name}"))
    if len(meant) > 1:
        raise UsageError(f"several types are called {name!r}: say which of {', '.join(meant)}")
    return meant[0] if meant else None


def _messages(descriptors: Iterable[Descriptor]) -> Iterator[Descriptor]:
    for descriptor in descriptors:
        if not descriptor.GetOptions().map_entry:
            yield descriptor
            yield from _messages(descriptor.nested_types)


def _borrow(pool: descriptor_pool.DescriptorPool, name: str, wanted_by: str) -> None:
    """Takes a file that the set lacks from those that Python has: the well-known types."""
    try:
        pool.FindFileByName(name)
        return  # it is in the pool already
    except KeyError:
        pass
    if name.startswith("google/protobuf/"):
        import_here(name.removesuffix(".proto").replace("/", ".") + "_pb2")
    file = descriptor_pb2.FileDescriptorProto()
    try:
        descriptor_pool.Default().FindFileByName(name).CopyToProto(file)
    except KeyError:
        raise ConfigurationError(f"{wanted_by} imports {name}, which is missing: protoc --include_imports") from None
    for dependency in file.dependency:
        _borrow(pool, dependency, name)
    pool.AddSerializedFile(file.SerializeToString())
