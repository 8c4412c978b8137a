"""Which awxfast processes live: how this one shows itself in Redis, and how another is known to be dead."""

import contextlib
import dataclasses
import os
import socket
from collections.abc import Mapping
from pathlib import Path

from awxfast.intake.names import ProcessNames
from awxfast.redis.commands import Argument, Command

PROCESS_EXPIRY = 30
"""Seconds after which a process that does not renew its key counts as dead, wherever it ran."""

ANNOUNCE_INTERVAL = 10.0

SUCCESSOR = "successor_"
"""Before the fields of a process that is about to take the place of one."""


@dataclasses.dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process among all that this host has run. `start_time` is in clock ticks since boot (proc_pid_stat(5))."""

    host: str
    boot_id: str
    pid_namespace: str
    pid: int
    start_time: int

    @classmethod
    def own(cls) -> "ProcessIdentity":
        """The identity of this process. What `/proc` does not tell stays empty, and then nobody compares it."""
        boot_id = pid_namespace = ""
        with contextlib.suppress(OSError):
            boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
            pid_namespace = str(Path("/proc/self/ns/pid").readlink())
        return cls(socket.gethostname(), boot_id, pid_namespace, os.getpid(), start_time_of(os.getpid()) or 0)

    def beside(self, pid: int) -> "ProcessIdentity":
        """The identity of another process on this host."""
        return dataclasses.replace(self, pid=pid, start_time=start_time_of(pid) or 0)

    @classmethod
    def from_fields(cls, fields: Mapping[bytes, bytes], prefix: str = "") -> "ProcessIdentity | None":
        """From the hash in Redis; None when it is not one of ours. `prefix` of its fields: of which one there."""
        try:
            text = {key.decode(): value.decode() for key, value in fields.items()}
            text = {key.removeprefix(prefix): value for key, value in text.items() if key.startswith(prefix)}
            return cls(text["host"], text["boot_id"], text["pid_namespace"], int(text["pid"]), int(text["start_time"]))
        except (KeyError, ValueError):
            return None

    def to_fields(self, prefix: str = "") -> list[Argument]:
        """For HSET: names and values in turn."""
        return [part for name, value in dataclasses.asdict(self).items() for part in (f"{prefix}{name}", value)]

    def is_dead_beside(self, own: "ProcessIdentity") -> bool:
        """Whether the process `own` can see that it is dead: same boot, same pid namespace, no such process.

        False for processes of other hosts and containers: only their key's expiry tells.
        """
        if not own.boot_id or not own.pid_namespace:
            return False
        if (self.boot_id, self.pid_namespace) != (own.boot_id, own.pid_namespace):
            return False
        if not pid_exists(self.pid):
            return True
        start_time = start_time_of(self.pid)
        return start_time is not None and start_time != self.start_time


FIELDS = tuple(field.name for field in dataclasses.fields(ProcessIdentity))


def start_time_of(pid: int) -> int | None:
    """Clock ticks since boot; None when nobody may see it (`hidepid`); -1 for a zombie, which serves nobody."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The name, in parentheses, may hold anything; fields 3 (state) and 22 (start time) are counted from its end.
    fields = stat.rpartition(b")")[2].split()
    return -1 if fields[0] in (b"Z", b"X") else int(fields[19])


def pid_exists(pid: int) -> bool:
    """Whether some process has this number, also one that we may not look at."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def announce_commands(
    names: ProcessNames,
    identity: ProcessIdentity,
    successor: ProcessIdentity | None = None,
    *,
    forgets_successor: bool = False,
) -> list[Command]:
    """What tells other processes that this one lives; to be repeated every `ANNOUNCE_INTERVAL` seconds.

    `successor`: one that is about to go on under the same names; as long as either lives, they are nobody's to remove.
    `forgets_successor`: there may be one in Redis that is none any more.
    """
    heir = [] if successor is None else successor.to_fields(SUCCESSOR)
    gone = [f"{SUCCESSOR}{field}" for field in FIELDS]
    return [
        ("SET", names.prefix_key, names.prefix),
        ("HSET", names.process_key, *identity.to_fields(), *heir),
        *([("HDEL", names.process_key, *gone)] if forgets_successor and not heir else []),
        ("EXPIRE", names.process_key, PROCESS_EXPIRY),
    ]
