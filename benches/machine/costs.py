"""What a run costs each of its parts."""

import time
from collections.abc import Mapping

from peers.servers import Program, Redis

from machine.accounting import machine_cpu_seconds, work_of

ON_THE_LOADS_CORE = ("redis", "clients", "producer")


class Costs:
    """CPU seconds of the parts of a run, from now on."""

    def __init__(self, server: Program, redis: Redis) -> None:
        self._server, self._redis = server, redis
        self.server, self._redis_before = server.usage(), redis.usage()
        self._proxy_before = proxy_cpu_seconds(server)
        self._machine_before, self.begin = machine_cpu_seconds(), time.monotonic()
        self._work_before = work_of(server.process.pid)

    def shares(self, clients: float, producer: float) -> dict[str, float]:
        """By part; the strangers are what nobody here has used."""
        machine = machine_cpu_seconds() - self._machine_before
        spent = {
            "server": self._server.usage().cpu_s - self.server.cpu_s,
            "redis": self._redis.usage().cpu_s - self._redis_before.cpu_s,
            "clients": clients,
            "producer": producer,
        }
        spent["strangers"] = max(0.0, machine - sum(spent.values()))
        if self._server.proxy is not None:
            spent["proxy"] = proxy_cpu_seconds(self._server) - self._proxy_before
        return spent

    def work(self) -> dict[str, float]:
        """Which of the server's threads spent how many percent of its CPU time, and how much of that in the kernel."""
        return work_of(self._server.process.pid).percent_since(self._work_before)


def percent_of_a_core(spent: Mapping[str, float], seconds: float) -> dict[str, float]:
    """By part, and of all that shares the load's core."""
    percent = {f"{name}_cpu_percent": 100 * cpu / seconds for name, cpu in spent.items()}
    return {**percent, "load_core_percent": sum(percent[f"{name}_cpu_percent"] for name in ON_THE_LOADS_CORE)}


def proxy_cpu_seconds(server: Program) -> float:
    """Of what stands before the server; part of the server's own figure."""
    return 0.0 if server.proxy is None else server.proxy.usage().cpu_s
