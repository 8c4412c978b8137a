"""A process's names where a layer has several Redis: one non-local name a host, whose queue lives there.

Producers look for a group's members on the Redis of the group's hash, and for a queue on that of its non-local name. A
name that belongs where the group is keeps both on one Redis: another one that is away costs its own groups alone.
"""

import hashlib
import itertools
import secrets
from collections.abc import Sequence

from awxfast.intake.names import ProcessNames
from awxfast.wire.host_choice import choose_host


def make_names(prefix: str, token: str | None, hosts: int) -> Sequence[ProcessNames]:
    """One for each host. They all follow from one token, so that the process after this one has the same."""
    base = secrets.token_hex(16) if token is None else token
    if hosts == 1:
        return [ProcessNames(prefix, base)]
    return [find_names(prefix, base, host, hosts) for host in range(hosts)]


def find_names(prefix: str, token: str, host: int, hosts: int) -> ProcessNames:
    """The first of all that follow from `token` whose queue is on `host`; it is tried `hosts` times or so."""
    for attempt in itertools.count():
        seed = f"{token}.{host}.{attempt}".encode()
        names = ProcessNames(prefix, hashlib.blake2b(seed, digest_size=16).hexdigest(), host)
        if choose_host(names.non_local, hosts) == host:
            return names
    raise AssertionError
