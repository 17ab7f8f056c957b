"""The guardian: a small process of its own that owns one nats-server and outlives whoever started it.

It is run as a script by its path (``python -I -S server_guardian.py FOLDER LOCK_FD``), so it must not import anything
of agentbus, and little of the standard library: it is up in some 20 ms. Its plan comes as one JSON line on its
standard input, so no secret is ever in an argument or in the environment.

Invariants:

* **One guardian a folder.** ``guardian.lock`` is taken by whoever starts the guardian and handed down to it, held; so
  "no guardian" is the same as "the lock is free", and the kernel keeps that true.
* **One server a store.** The nats-server inherits ``server.lock``, whose text is its process id. Where the kernel
  does not kill it together with its guardian (Linux does), the next guardian finds the lock held, and kills it.
* **No server without users.** In a shared folder users hold ``users.lock`` shared. The guardian that can take it
  exclusively keeps it, stops the server and ends; a newcomer waits at that lock until the old server is gone. In the
  foreground the one user is the other end of the standard input.
* **A password is as old as its server.** Each run of a shared nats-server has a new one: whoever takes the port of a
  dead server, and is sent a password by a client, has a password that opens nothing.
* ``address.json`` is there only while the server that it names answers.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import select
import signal
import socket
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself costs as much as all else here
    from typing import TypedDict

    class Plan(TypedDict):
        """What the starter wants. `port` 0: any free one. Empty `password`: a new one for each run."""

        binary: str
        foreground: bool
        host: str
        port: int
        user: str
        password: str


GUARDIAN_LOCK, USERS_LOCK, SERVER_LOCK = "guardian.lock", "users.lock", "server.lock"
CONFIG, RUN_CONFIG, ADDRESS, FAILURE = "server.conf", "run.conf", "address.json", "failure.txt"
LOG, OLD_LOG, OUTPUT, GUARDIAN_LOG = "server.log", "server.log.old", "server.out", "guardian.log"

GRACE_S = 1.0
"""How long a shared server stays after its last user left, for a next one to find it."""
POLL_S, START_POLL_S = 0.25, 0.01
START_S = 120.0
"""A server whose store takes longer than this to open is given up. Its users have deadlines of their own."""
STOP_S = 3.0
ORPHAN_S = 5.0
MAX_FAILED_STARTS = 3
SETTLED_S = 5.0
"""A server that ran this long is started again at once; one that dies younger, after a growing pause."""
TAIL_BYTES = 2000
PORTS = range(15_000, 32_000)
"""Below what kernels hand out to outgoing connections, so that none of these takes the port while the server is away,
and no client that tries again and again connects to itself."""


def write_private(path: str, text: str) -> None:
    """Replaces a file by one that only its owner may read, in one step."""
    temporary = f"{path}.{os.getpid()}.tmp"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(temporary, path)


def log_tail(folder: str) -> str:
    """The end of what the server printed or, if that is nothing, of what it logged; without its password."""
    text = _end_of(os.path.join(folder, OUTPUT)) or _end_of(os.path.join(folder, LOG))
    with contextlib.suppress(OSError, ValueError, KeyError):
        with open(os.path.join(folder, RUN_CONFIG), encoding="utf-8") as file:
            password = str(json.load(file)["authorization"]["password"])
        text = text.replace(password, "***")
    return text


def _end_of(path: str) -> str:
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
            return file.read().decode("utf-8", "replace").strip()
    except OSError:
        return ""


def try_lock(path: str) -> int | None:
    """A descriptor that holds the file's lock exclusively, or None if somebody else holds it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise
        return None
    return fd


def free_port(host: str, preferred: int) -> int:
    """`preferred` if it is not 0 and can be listened on, else some port that can."""
    draws = (PORTS[int.from_bytes(os.urandom(4), "big") % len(PORTS)] for _ in range(64))
    for port in filter(None, (preferred, *draws)):
        with contextlib.suppress(OSError):
            listen_once(host, port)
            return port
    return listen_once(host, 0)


def listen_once(host: str, port: int) -> int:
    """Listens and stops at once: raises the `OSError` that a server would meet. Returns the port."""
    family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
        listener.listen(1)
        return int(listener.getsockname()[1])


def reachable(host: str) -> str:
    """The address at which this machine reaches a server that listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


class GuardianError(Exception):
    """The server can't be had. The text is for the user."""


class Guardian:
    """Keeps one nats-server running in the current folder for as long as somebody wants it."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._port = plan["port"] or last_port()
        self._pid = 0
        self._name = self._user = self._password = ""
        self._ready = False
        self._started_at = self._start_after = 0.0
        self._orphan_since = self._alone_since = 0.0
        self._failures = 0
        self._users = os.open(USERS_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._stopping = False
        self._wake_read, self._wake_write = os.pipe()

    def run(self) -> None:
        """Runs until nobody wants the server any more, or it can't be had."""
        self._listen_to_signals()
        try:
            while not self._stopping and not self._abandoned():
                self._step(time.monotonic())
                self._wait(POLL_S if self._ready else START_POLL_S)
        finally:
            self._stop()

    def _listen_to_signals(self) -> None:
        def heard(number: int, _frame: object) -> None:
            self._stopping = self._stopping or number != signal.SIGCHLD  # which needs but the wake-up

        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, heard)

    def _wait(self, seconds: float) -> None:
        watched = [self._wake_read, *([0] if self._plan["foreground"] else [])]
        readable, _, _ = select.select(watched, [], [], seconds)
        if self._wake_read in readable:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake_read, 4096)
        if 0 in readable and not os.read(0, 4096):
            self._stopping = True

    def _abandoned(self) -> bool:
        """Whether nobody has used the server for `GRACE_S`. If so, `users.lock` stays taken: nobody can come."""
        if self._plan["foreground"]:
            return False
        try:
            if os.stat(USERS_LOCK).st_ino != os.fstat(self._users).st_ino:
                return True
        except FileNotFoundError:  # somebody removed the folder
            return True
        try:
            fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._alone_since = 0.0
            return False
        now = time.monotonic()
        self._alone_since = self._alone_since or now
        if now - self._alone_since >= GRACE_S:
            return True
        fcntl.flock(self._users, fcntl.LOCK_UN)
        return False

    def _step(self, now: float) -> None:
        if not self._pid:
            if now >= self._start_after:
                self._start(now)
        elif os.waitpid(self._pid, os.WNOHANG)[0]:
            self._ended(now)
        elif not self._ready:
            if self._answers():
                self._publish()
            elif now - self._started_at > START_S:
                raise GuardianError(f"nats-server did not listen within {START_S:.0f} s")
        elif now - self._started_at > SETTLED_S:
            self._failures = 0

    def _start(self, now: float) -> None:
        lock = try_lock(SERVER_LOCK)
        if lock is None:
            self._reap_orphan(now)
            return
        self._orphan_since = 0.0
        plan = self._plan
        if plan["port"]:
            self._check_port(plan["host"], plan["port"])
        else:
            self._port = free_port(plan["host"], self._port)
        self._name = f"agentbus-{os.urandom(6).hex()}"
        self._user = plan["user"] or "agentbus"
        self._password = plan["password"] or os.urandom(24).hex()
        login = {"user": self._user, "password": self._password, "timeout": 5}
        run = {"host": plan["host"], "port": self._port, "server_name": self._name, "authorization": login}
        write_private(RUN_CONFIG, json.dumps(run, ensure_ascii=False))
        self._started_at = now
        self._pid = launch(plan["binary"], lock)
        os.close(lock)

    def _reap_orphan(self, now: float) -> None:
        """Kills the server of a guardian that is dead. The lock proves that the process id is still its own."""
        self._orphan_since = self._orphan_since or now
        if now - self._orphan_since > ORPHAN_S:
            raise GuardianError(
                f"an earlier nats-server still holds {os.path.abspath(SERVER_LOCK)} and can't be stopped"
            )
        with contextlib.suppress(OSError, ValueError), open(SERVER_LOCK, encoding="ascii") as file:
            os.killpg(int(file.read()), signal.SIGKILL)

    def _check_port(self, host: str, port: int) -> None:
        try:
            listen_once(host, port)
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            remedy = "stop the program that uses it, or choose another port" if taken else "choose another host or port"
            raise GuardianError(f"can't listen on port {port} of {host} ({error.strerror}): {remedy}") from error

    def _ended(self, now: float) -> None:
        was_ready, age = self._ready, now - self._started_at
        self._pid = 0
        self._withdraw()
        if self._plan["foreground"]:
            raise GuardianError(
                "nats-server ended by itself" if was_ready else "nats-server ended instead of listening"
            )
        self._failures += 1
        if not was_ready:
            self._port = 0
            if self._failures >= MAX_FAILED_STARTS:
                raise GuardianError(f"nats-server ended instead of listening, {self._failures} times")
        settled = was_ready and age > SETTLED_S
        self._start_after = now + (0.0 if settled else min(2.0, 0.05 * 2 ** (self._failures - 1)))

    def _answers(self) -> bool:
        """Whether the server at the port says that it is ours."""
        try:
            with socket.create_connection((reachable(self._plan["host"]), self._port), timeout=0.5) as link:
                said = b""
                while not said.endswith(b"\n") and len(said) < 65_536:
                    more = link.recv(4096)
                    if not more:
                        return False
                    said += more
        except OSError:
            return False
        return said.startswith(b"INFO ") and f'"{self._name}"'.encode() in said

    def _publish(self) -> None:
        address: dict[str, str | int] = {"host": reachable(self._plan["host"]), "port": self._port}
        address |= {"user": self._user, "password": self._password, "server_name": self._name}
        address |= {"server_pid": self._pid, "guardian_pid": os.getpid(), "machine": socket.gethostname()}
        write_private(ADDRESS, json.dumps(address))
        self._ready = True

    def _withdraw(self) -> None:
        self._ready = False
        with contextlib.suppress(FileNotFoundError):
            os.unlink(ADDRESS)

    def _stop(self) -> None:
        self._withdraw()
        if not self._pid:
            return
        os.killpg(self._pid, signal.SIGTERM)
        give_up = time.monotonic() + STOP_S
        while not os.waitpid(self._pid, os.WNOHANG)[0]:
            if time.monotonic() > give_up:
                os.killpg(self._pid, signal.SIGKILL)
                os.waitpid(self._pid, 0)
                break
            time.sleep(0.01)
        self._pid = 0


def last_port() -> int:
    """The port of a server that was not stopped, for clients that still try there; 0 for none. Removes the traces."""
    with contextlib.suppress(FileNotFoundError):
        os.replace(LOG, OLD_LOG)
    try:
        with open(ADDRESS, encoding="utf-8") as file:
            port = int(json.load(file)["port"])
        os.unlink(ADDRESS)
    except (OSError, ValueError, KeyError):
        return 0
    return port


def launch(binary: str, lock: int) -> int:
    """Starts nats-server, with a lock that it keeps for life, in a process group of its own. Returns its process id.

    A plain fork is safe here: this process has one thread. The group is for a binary that is a wrapper.
    """
    guardian = os.getpid()
    output = os.open(OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    pid = os.fork()
    if pid:
        os.close(output)
        with contextlib.suppress(OSError):  # whichever of the two comes first; too late is as good
            os.setpgid(pid, pid)
        return pid
    try:
        os.setpgid(0, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        os.dup2(null, 0)
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        os.set_inheritable(lock, True)
        die_with_parent(guardian)
        os.execv(binary, [binary, "-c", os.path.abspath(CONFIG)])
    except OSError as error:
        os.write(2, f"can't run {binary}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def die_with_parent(parent: int) -> None:
    """Has the kernel kill this process when its parent dies, where there is a kernel that does."""
    if sys.platform != "linux":
        return
    with contextlib.suppress(ImportError, OSError, AttributeError):
        import ctypes

        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(127)


def main(folder: str, lock: int) -> None:
    """Runs a guardian whose `guardian.lock` is the descriptor `lock`, detached unless its plan says otherwise."""
    os.chdir(folder)
    os.umask(0o077)
    os.set_inheritable(lock, False)
    plan: Plan = json.loads(sys.stdin.buffer.readline())
    guardian = Guardian(plan)
    if not plan["foreground"]:
        if os.fork():  # by now no stale address is left to be read
            os._exit(0)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
    try:
        guardian.run()
    except GuardianError as reason:
        tail = log_tail(".")
        write_private(FAILURE, f"{reason}\n{tail}" if tail else str(reason))
    except BaseException as error:
        write_private(FAILURE, f"its guardian failed: {type(error).__name__}: {error}")
        raise


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
