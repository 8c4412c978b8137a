"""Which server of a cluster has which slot, as its servers tell it. What they say is checked: it comes from outside."""

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from awxfast.engine.address import HostPort
from awxfast.errors import RedisReplyError

SLOTS: int = REDIS_CLUSTER_HASH_SLOTS

MOST_SERVERS = 1_000
"""Of a cluster: Redis' own advice ends there."""

_EPOCH = re.compile(rb"^cluster_current_epoch:([0-9]{1,18})\r?$", re.MULTILINE)


@dataclasses.dataclass(frozen=True, slots=True)
class ClusterView:
    """The cluster as one server sees it. Each change of a slot's owner raises the epoch."""

    epoch: int
    owners: tuple[HostPort | None, ...]
    """Of each slot; None: nobody has it."""
    servers: frozenset[HostPort]
    """All that the cluster names, replicas too."""


@dataclasses.dataclass(frozen=True, slots=True)
class Redirection:
    """A server that has not, or soon not, got the slot says who has."""

    slot: int
    where: HostPort
    once: bool
    """For this one command alone (`ASK`), behind an `ASKING`."""


def find_slot(channel: bytes) -> int:
    """The slot that a channel belongs to."""
    return int(key_slot(channel))


def read_view(info: Any, slots: Any, asked: HostPort) -> ClusterView:
    """From the answers to `CLUSTER INFO` and `CLUSTER SLOTS`. Raises `ValueError` for what can't be one.

    `asked`: who answered; its host stands for those that the cluster does not name.
    """
    found = _EPOCH.search(info) if isinstance(info, bytes) else None
    if found is None or not isinstance(slots, list):
        raise ValueError("no cluster")
    owners: list[HostPort | None] = [None] * SLOTS
    servers: set[HostPort] = set()
    told = 0
    for entry in slots:
        first, last, holders = _read_range(entry, asked)
        told += last + 1 - first
        if told > SLOTS:
            raise ValueError("a slot is told twice")
        owners[first : last + 1] = [holders[0]] * (last + 1 - first)
        servers.update(where for where in holders if where is not None)
        if len(servers) > MOST_SERVERS:
            raise ValueError("too many servers")
    return ClusterView(int(found[1]), tuple(owners), frozenset(servers))


def read_redirection(error: RedisReplyError, asked: HostPort) -> Redirection | None:
    """What an error says of where to go; None: nothing, or nothing that makes sense."""
    words = str(error).split(" ")
    if words[0] not in ("MOVED", "ASK") or len(words) != 3:
        return None
    host, _, port = words[2].rpartition(":")
    if not (words[1].isdecimal() and port.isdecimal() and int(words[1]) < SLOTS and 0 < int(port) < 65_536):
        return None
    return Redirection(int(words[1]), (host if host not in ("", "?") else asked[0], int(port)), words[0] == "ASK")


def _read_range(entry: Any, asked: HostPort) -> tuple[int, int, Sequence[HostPort | None]]:
    """First and last slot, their owner, and its replicas."""
    if not isinstance(entry, list) or len(entry) < 3:
        raise ValueError("no range of slots")
    if len(entry) - 2 > MOST_SERVERS:
        raise ValueError("too many servers")
    first, last, *servers = entry
    if type(first) is not int or type(last) is not int or not 0 <= first <= last < SLOTS:
        raise ValueError("no such slots")
    return first, last, [_read_server(server, asked) for server in servers]


def _read_server(server: Any, asked: HostPort) -> HostPort | None:
    """None: the cluster does not know how it is reached."""
    if not isinstance(server, list) or len(server) < 2:
        raise ValueError("no server")
    host, port = server[:2]
    if type(port) is not int or not (host is None or isinstance(host, bytes)):
        raise ValueError("no server")
    if not 0 < port < 65_536:
        return None
    text = host.decode("ascii", "replace") if host is not None else ""
    if not text.isprintable() or len(text) > 253:
        raise ValueError("no host")
    return (text if text not in ("", "?") else asked[0], port)
