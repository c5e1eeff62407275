"""A PostgreSQL server of the test run's own: in a temporary folder, on a Unix socket only, as a user who is not root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

USER = "studio"
WAIT_S = 30


class NoServerError(Exception):
    """Why no server can be started here."""


def _programs() -> Path:
    """The folder with initdb and pg_ctl."""
    found = shutil.which("pg_ctl")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise NoServerError("no PostgreSQL server is installed here (package postgresql)")


def _owner() -> str | None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise NoServerError("PostgreSQL does not run as root, and there is no other user")


class Server:
    """Build with start(); remove() ends it and takes its folder away."""

    def __init__(self, programs: Path, owner: str | None, folder: Path) -> None:
        self._programs = programs
        self._owner = owner
        self._folder = folder
        self._databases = 0

    @classmethod
    def start(cls) -> Server:
        try:
            import psycopg  # noqa: F401
        except ImportError as error:
            raise NoServerError("the package psycopg is not installed (pip install 'psycopg[binary]')") from error
        programs, owner = _programs(), _owner()
        # Not pytest's folder: the server's user could not enter it. Short, because the names of sockets are.
        folder = Path(tempfile.mkdtemp(prefix="studio-pg-"))
        server = cls(programs, owner, folder)
        try:
            if owner is not None:
                shutil.chown(folder, owner)
            server._run("initdb", "-D", folder / "data", "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
            server.resume()
        except (OSError, subprocess.SubprocessError) as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise NoServerError(f"the PostgreSQL server did not start: {error}") from error
        return server

    def _run(self, program: str, *arguments: object) -> None:
        subprocess.run(
            [str(self._programs / program), *map(str, arguments)],
            user=self._owner,
            cwd=self._folder,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=2 * WAIT_S,
        )

    def resume(self) -> None:
        options = f"-k {self._folder} -c listen_addresses= -c fsync=off -c shared_buffers=16MB"
        self._run("pg_ctl", "-D", self._folder / "data", "-l", self._folder / "log", "-o", options, "-w", "-t", WAIT_S, "start")

    def stop(self) -> None:
        """Ends all connections."""
        self._run("pg_ctl", "-D", self._folder / "data", "-m", "immediate", "-w", "-t", WAIT_S, "stop")

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, database: str, user: str = USER) -> str:
        return f"postgresql://{user}@/{database}?host={self._folder}"

    def new_database(self) -> str:
        """The URL of an empty one."""
        import psycopg

        self._databases += 1
        name = f"library{self._databases}"
        with psycopg.connect(host=str(self._folder), user=USER, dbname="postgres", autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)
