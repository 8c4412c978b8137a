"""What carries events between the nodes of a cluster that is measured: the mesh alone, or an engine of real servers.

The Redis Cluster has six servers, three masters and a replica of each; NATS has three.
"""

import shutil
from collections.abc import Callable, Sequence
from typing import Self

from awxfast.demo.engine_servers import EngineServers, NatsServers, RedisClusterServers
from awxfast.errors import StartError
from machine.accounting import Usage, usage_of

from peers.servers import Cores, RunFailed

Start = Callable[[Sequence[str]], EngineServers]
STARTS: dict[str, Start] = {
    "redis-cluster": lambda before: RedisClusterServers(masters=3, replicas=1, before=before),
    "nats": lambda before: NatsServers(before=before),
}


class Engine:
    """A context manager; without servers for the mesh."""

    def __init__(self, kind: str, cores: Cores) -> None:
        taskset = shutil.which("taskset") or "taskset"
        try:
            self._servers = STARTS[kind]([taskset, "-c", str(cores)]) if kind in STARTS else None
        except StartError as error:
            raise RunFailed(str(error)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._servers is not None:
            self._servers.stop()

    @property
    def options(self) -> list[str]:
        """For the server and the dialler of a node."""
        return [] if self._servers is None else ["--engine", self._servers.url]

    def usages(self) -> list[Usage]:
        """A server of it each."""
        return [] if self._servers is None else [usage_of(pid) for pid in self._servers.pids]
