"""The embedded nats-server: one a user and name, shared by processes, gone when the last of them is gone.

A process that uses a server holds the shared lock ``users.lock`` in the server's folder and does nothing else: a
detached *guardian* (`server_guardian`) runs the server, starts it again when it dies, and stops it when nobody holds
the lock any more, however the users ended. If the guardian dies too, the next `EmbeddedServer.ensure` of any user
starts another, on the same data and, if it is still free, on the same port.

The server listens on 127.0.0.1 only and wants a password, which is new for each run and stands in files of mode 0600
in a folder of mode 0700, nowhere else. Unix only: on Windows run a nats-server and pass its URL.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Self

from agentbus.errors import ConfigurationError, ServerFailed
from agentbus.transports.server_address import ServerAddress, answers, read_address
from agentbus.transports.server_config import DEFAULT_NAME, ServerOptions, embedded_folder, render, server_folder
from agentbus.transports.server_guardian import CONFIG, GUARDIAN_LOCK, USERS_LOCK
from agentbus.transports.server_lock import FileLock, make_private, try_lock
from agentbus.transports.server_start import failure_stamp, failure_text, late_text, start_guardian

__all__ = ["EmbeddedServer", "ServerAddress", "ServerOptions", "acquire", "acquire_url"]

_POLL_S = 0.01


async def acquire(
    name: str = DEFAULT_NAME,
    *,
    home: Path | None = None,
    folder: Path | None = None,
    options: ServerOptions | None = None,
    timeout_s: float = 10.0,
) -> EmbeddedServer:
    """A share in the server of that name; it is up and answers. Release it, or use it as an async context manager.

    Args:
        name: ``[A-Za-z0-9][A-Za-z0-9_-]*``, at most 64 characters. Each name has its own data, which stays.
        home: in place of `server_config.state_home`.
        folder: the server's own folder, in place of one by name.
        options: for the server, should this be its first user. None: those it runs with, or else the defaults.
        timeout_s: seconds.

    Raises:
        ServerFailed: no server within the time, or it can't be had. The text holds the end of the server's log.
        ConfigurationError: not a name, or the server runs already, with other options.
    """
    where = await asyncio.to_thread(make_private, folder or server_folder(name, home=home))
    deadline = asyncio.get_running_loop().time() + timeout_s
    try:
        async with asyncio.timeout_at(deadline):
            users = await _share(where)
    except TimeoutError:
        raise ServerFailed(late_text(where, None, timeout_s)) from None
    server = EmbeddedServer(where, users, options)
    try:
        await server.ensure(timeout_s=max(0.0, deadline - asyncio.get_running_loop().time()))
    except BaseException:
        server.release()
        raise
    return server


async def acquire_url(
    url: str, *, home: Path | None = None, options: ServerOptions | None = None, timeout_s: float = 10.0
) -> EmbeddedServer:
    """`acquire` for ``embedded://``, ``embedded://NAME`` or ``embedded:///absolute/path``.

    Raises:
        UnknownScheme: another scheme.
        ServerFailed, ConfigurationError: as `acquire`.
    """
    return await acquire(folder=embedded_folder(url, home=home), options=options, timeout_s=timeout_s)


class EmbeddedServer:
    """This process's share in an embedded server. Get one with `acquire`; the server stays while it is held.

    Bound to the process: in a child made by `os.fork` it is released, and the child acquires its own.
    """

    def __init__(self, folder: Path, users: FileLock, options: ServerOptions | None) -> None:
        self._folder = folder
        self._users = users
        self._options = options
        self._config: str | None = None
        self._address: ServerAddress | None = None

    @property
    def folder(self) -> Path:
        """The server's folder: data, log and configuration."""
        return self._folder

    @property
    def address(self) -> ServerAddress:
        """Where the server was at the last `ensure`. Raises `ServerFailed` if it never was."""
        if self._address is None:
            raise ServerFailed(f"the embedded server in {self._folder} has not been reached yet: await ensure() first")
        return self._address

    async def ensure(self, *, timeout_s: float = 10.0) -> ServerAddress:
        """The address of a server that has just answered, started again if need be. Call it before each connect:
        after the server was started again, password and maybe port are others.

        Raises:
            ServerFailed: no server within the time, or it can't be had; with the end of its log.
            ConfigurationError: a server runs already, with other options than those asked for.
        """
        stamp = failure_stamp(self._folder)
        address: ServerAddress | None = None
        try:
            async with asyncio.timeout(timeout_s):
                await self._keep_lock()
                while True:
                    if failure_stamp(self._folder) != stamp:
                        raise ServerFailed(failure_text(self._folder))
                    await self._start_if_gone()
                    address = read_address(self._folder)
                    if address is not None and await answers(address):
                        break
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise ServerFailed(late_text(self._folder, address, timeout_s)) from None
        self._check_options()
        self._address = address
        return address

    def release(self) -> None:
        """Gives the share back. The server stops soon after the last one did. A second call does nothing."""
        self._users.release()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    async def _keep_lock(self) -> None:
        """Takes the lock anew if its file was removed. Raises `ServerFailed` after a release or a fork."""
        _ = self._users.fd
        if not self._users.held:
            make_private(self._folder)
            self._users.release()
            self._users = await _share(self._folder)

    async def _start_if_gone(self) -> None:
        lock = try_lock(self._folder / GUARDIAN_LOCK, shared=False)
        if lock is not None:
            config = self._config or render(self._options or ServerOptions(), self._folder)
            await asyncio.to_thread(start_guardian, self._folder, lock, config)

    def _check_options(self) -> None:
        """Remembers what the server runs with, for whoever has to start it again."""
        config = (self._folder / CONFIG).read_text("utf-8")
        if self._options is not None and config != render(self._options, self._folder):
            raise ConfigurationError(
                f"the embedded server in {self._folder} runs already, with other options than {self._options}: "
                "use another name, or end the programs that use it"
            )
        self._config = config


async def _share(folder: Path) -> FileLock:
    """The shared lock. It is free but for instants, and while a server without users is being stopped."""
    while True:
        lock = try_lock(folder / USERS_LOCK, shared=True)
        if lock is not None:
            return lock
        await asyncio.sleep(_POLL_S)
