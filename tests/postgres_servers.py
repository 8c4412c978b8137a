"""Real PostgreSQL servers that tests may stop, each a cluster of its own."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from programs import require_program

HANG = 30.0
"""Seconds after which something that does not happen counts as failed."""
OWNER = "nobody"
"""Who runs it where the tests are root's: PostgreSQL refuses root."""
USER = "awx"
DEBIAN_FOLDER = Path("/usr/lib/postgresql")
INSTANCES = """
CREATE TABLE main_instance (
    id serial PRIMARY KEY, hostname varchar(250) UNIQUE NOT NULL, ip_address varchar(50), node_type varchar(16) NOT NULL
);
"""
"""As much of AWX's table as tells who is there."""


class PostgresServer:
    """A PostgreSQL without durability, reachable through a unix socket and a port of the loopback."""

    def __init__(self) -> None:
        self.programs = find_programs()
        self.folder = Path(tempfile.mkdtemp(prefix="awxfast-postgres-"))
        self.cluster = self.folder / "cluster"
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.owner: dict[str, Any] = {}
        if os.geteuid() == 0:
            shutil.chown(self.folder, OWNER)
            self.owner = {"user": OWNER, "group": "nogroup", "extra_groups": []}
        self.run("initdb", "-D", str(self.cluster), "-U", USER, "-A", "trust", "-E", "UTF8", "--locale", "C", "-N")
        self.start()

    @property
    def dsn(self) -> str:
        return f"host={self.folder} port={self.port} user={USER} dbname=postgres"

    @property
    def tcp_dsn(self) -> str:
        return f"host=127.0.0.1 port={self.port} user={USER} dbname=postgres"

    def start(self) -> None:
        """Starts it, the second time on the port that it had before."""
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": str(self.folder), "fsync": "off"}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = [str(self.programs / "postgres"), "-D", str(self.cluster), "-p", str(self.port), *options]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, **self.owner)
        deadline = time.monotonic() + HANG
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"PostgreSQL does not answer:\n{(self.folder / 'log').read_text()}")
            time.sleep(0.02)

    def answers(self) -> bool:
        command = [str(self.programs / "pg_isready"), "-q", "-d", self.dsn]
        return subprocess.run(command, check=False).returncode == 0

    def execute(self, statement: str) -> list[str]:
        """The rows that a statement returns, columns with `|` between."""
        return self.run("psql", "-d", self.dsn, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement)

    def run(self, program: str, *words: str) -> list[str]:
        command = [str(self.programs / program), *words]
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=HANG, cwd=self.folder, **self.owner
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def connections(self, application: str) -> int:
        """How many connections a program has, by the name that it gave."""
        (count,) = self.execute(f"SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '{application}'")
        return int(count)

    def stop(self) -> None:
        """At once: open connections are cut, as at a failover."""
        self.end(signal.SIGINT)

    def crash(self) -> None:
        """Nothing is written or said: it recovers from its log when it starts again."""
        self.end(signal.SIGQUIT)

    def end(self, how: signal.Signals) -> None:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(HANG)

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)


def find_programs() -> Path:
    """The folder of the newest version's programs; Debian does not put it on the PATH."""
    versions = [folder for folder in DEBIAN_FOLDER.glob("*/bin") if (folder / "initdb").exists()]
    if versions:
        return max(versions, key=lambda folder: float(folder.parent.name))
    return Path(require_program("initdb", package="postgresql")).parent


def free_port() -> int:
    """A port of the loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def awx_database() -> Iterator[PostgresServer]:
    """One with AWX's table of instances, empty."""
    pytest.importorskip("psycopg")
    server = PostgresServer()
    try:
        server.execute(INSTANCES)
        yield server
    finally:
        server.close()
