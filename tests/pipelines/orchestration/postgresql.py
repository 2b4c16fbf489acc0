"""A PostgreSQL server for one test; where none is installed, the test is skipped with a message."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

PASSWORD = "postgres-secret"  # noqa: S105 -- of a server that lives for one test


@contextmanager
def postgresql_server() -> Iterator[str]:
    """The address of an empty database on loopback, which requires a password."""
    programs = _programs()
    if programs is None or find_spec("dagster_postgres") is None:
        pytest.skip("PostgreSQL's server, or the extra `postgres`, is not installed (Debian: postgresql)")
    # PostgreSQL refuses to run as root.
    user = pwd.getpwnam("postgres") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
    folder = Path(tempfile.mkdtemp(prefix="chargehouse-postgresql-"))
    try:
        (folder / "password").write_text(PASSWORD)
        for path in (folder, folder / "password"):
            os.chown(path, user.pw_uid, user.pw_gid)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        data = folder / "data"

        def run(program: str, *arguments: str) -> None:
            subprocess.run(
                [str(programs / program), "-D", str(data), *arguments],
                check=True,
                cwd=folder,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                user=user.pw_uid,
                group=user.pw_gid,
                timeout=120,
            )

        run("initdb", "-U", "chargehouse", "-A", "scram-sha-256", "--no-sync", f"--pwfile={folder / 'password'}")
        options = f"-p {port} -h 127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        run("pg_ctl", "-w", "-o", options, "-l", str(folder / "log"), "start")
        try:
            yield f"postgresql://chargehouse:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path | None:
    """The folder of the newest installed server's programs. Debian keeps them out of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    beside = shutil.which("initdb")
    if found:
        return found[-1].parent
    return None if beside is None else Path(beside).resolve().parent
