"""Who lives: known for processes of this host, guessed for nobody."""

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from awxfast.intake.names import ProcessNames
from awxfast.intake.processes import ProcessIdentity, announce_commands, pid_exists, start_time_of


@pytest.fixture
def neighbour() -> Iterator[subprocess.Popen[bytes]]:
    """Another process of this host, alive until a test kills it."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def identity_of(process: subprocess.Popen[bytes]) -> ProcessIdentity:
    start_time = start_time_of(process.pid)
    assert start_time is not None
    return dataclasses.replace(ProcessIdentity.own(), pid=process.pid, start_time=start_time)


class TestOwnIdentity:
    def test_is_the_same_each_time(self) -> None:
        assert ProcessIdentity.own() == ProcessIdentity.own()
        assert ProcessIdentity.own().pid == os.getpid()

    def test_survives_redis(self) -> None:
        own = ProcessIdentity.own()
        parts = [str(part).encode() for part in own.to_fields()]
        assert ProcessIdentity.from_fields(dict(zip(parts[::2], parts[1::2], strict=True))) == own

    @pytest.mark.parametrize("fields", [{}, {b"host": b"h"}, {b"pid": b"x"}, {b"\xff": b"\xff"}])
    def test_of_somebody_else_is_none(self, fields: dict[bytes, bytes]) -> None:
        assert ProcessIdentity.from_fields(fields) is None

    def test_is_announced_with_the_prefix_and_an_expiry(self) -> None:
        names = ProcessNames("asgi")
        own = ProcessIdentity.own()
        commands = announce_commands(names, own)
        assert ("SET", names.prefix_key, "asgi") in commands
        assert ("EXPIRE", names.process_key, 30) in commands
        assert ("HSET", names.process_key, *own.to_fields()) in commands
        assert not [command for command in commands if command[0] == "HDEL"]

    def test_successor_is_forgotten_where_there_may_be_one_that_is_none(self) -> None:
        names, own = ProcessNames("asgi"), ProcessIdentity.own()
        fields = [f"successor_{field.name}" for field in dataclasses.fields(ProcessIdentity)]
        gone = ("HDEL", names.process_key, *fields)
        assert gone in announce_commands(names, own, forgets_successor=True)
        assert gone not in announce_commands(names, own, own, forgets_successor=True)


class TestDeath:
    def test_living_neighbour_is_not_dead(self, neighbour: subprocess.Popen[bytes]) -> None:
        assert not identity_of(neighbour).is_dead_beside(ProcessIdentity.own())

    def test_we_are_not_dead(self) -> None:
        assert not ProcessIdentity.own().is_dead_beside(ProcessIdentity.own())

    def test_killed_neighbour_is_dead_even_before_its_parent_looks(self, neighbour: subprocess.Popen[bytes]) -> None:
        identity = identity_of(neighbour)
        neighbour.kill()
        os.waitid(os.P_PID, neighbour.pid, os.WEXITED | os.WNOWAIT)
        assert identity.is_dead_beside(ProcessIdentity.own())
        neighbour.wait()
        assert identity.is_dead_beside(ProcessIdentity.own())

    def test_number_that_another_process_has_now_is_dead(self, neighbour: subprocess.Popen[bytes]) -> None:
        identity = identity_of(neighbour)
        earlier = dataclasses.replace(identity, start_time=identity.start_time - 1)
        assert earlier.is_dead_beside(ProcessIdentity.own())

    @pytest.mark.parametrize("field", ["boot_id", "pid_namespace"])
    def test_nobody_knows_of_other_hosts_and_containers(self, field: str) -> None:
        gone = dataclasses.replace(ProcessIdentity.own(), pid=2**22 + 1, start_time=1)
        assert gone.is_dead_beside(ProcessIdentity.own())
        elsewhere = dataclasses.replace(gone, **{field: "another"})
        assert not elsewhere.is_dead_beside(ProcessIdentity.own())

    def test_nobody_knows_without_proc(self) -> None:
        blind = dataclasses.replace(ProcessIdentity.own(), boot_id="")
        assert not dataclasses.replace(blind, pid=2**22 + 1).is_dead_beside(blind)

    def test_process_that_we_may_not_look_at_lives(
        self, neighbour: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        identity = dataclasses.replace(identity_of(neighbour), start_time=1)
        monkeypatch.setattr("awxfast.intake.processes.start_time_of", lambda _: None)
        assert not identity.is_dead_beside(ProcessIdentity.own())


class TestProc:
    def test_start_time_is_the_kernels(self) -> None:
        boot_age = float(Path("/proc/uptime").read_text().split()[0])
        start_time = start_time_of(os.getpid())
        assert start_time is not None
        assert 0 < start_time / os.sysconf("SC_CLK_TCK") < boot_age

    def test_absent_process(self) -> None:
        assert start_time_of(2**22 + 1) is None
        assert not pid_exists(2**22 + 1)

    def test_number_that_no_process_can_have(self) -> None:
        assert pid_exists(2**70), "not known to be dead"
        assert pid_exists(1)
