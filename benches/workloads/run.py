"""One run of one workload against one server, from its start to its end."""

import os
import subprocess
import sys
from collections.abc import Callable

from machine.setting import Bench, Figures
from peers.lineup import SERVERS
from peers.servers import HERE, Redis

from workloads.alone import measure_alone
from workloads.asking import measure_echoes, measure_requests
from workloads.edge import measure_edge
from workloads.idle import measure_idle, measure_storm
from workloads.kinds import APPLICATION, Alone, Echoes, Edge, Idle, Producing, Requests, Search, Storm, Stream, Workload
from workloads.producing import measure_producing
from workloads.search import measure_search
from workloads.stream import measure_stream

SERVED: dict[type[Workload], Callable[..., Figures]] = {
    Stream: measure_stream,
    Idle: measure_idle,
    Storm: measure_storm,
    Edge: measure_edge,
    Search: measure_search,
    Requests: measure_requests,
    Echoes: measure_echoes,
}


def measure(bench: Bench, redis: Redis, server_name: str, workload: Workload) -> Figures:
    """Figures by name; a fresh server on an empty Redis. Raises `RunFailed`."""
    redis.ask("FLUSHALL")
    if workload.has_two_cores:
        bench = bench.with_two_cores()
    if isinstance(workload, Alone):
        return measure_alone(bench, server_name, workload)
    if isinstance(workload, Producing):
        return measure_producing(bench, redis, server_name, workload)
    environment = {"RELAY_BENCH_REDIS": redis.url}
    signed_in = isinstance(workload, Idle) and workload.signed_in
    options = {"cookie": sign_in(bench, environment)} if signed_in else {}
    application = getattr(workload, "application", APPLICATION)
    hosted = {} if application == APPLICATION else {"application": application}
    with SERVERS[server_name](redis, bench.server_core, bench.folder, environment, **hosted) as server:
        return SERVED[type(workload)](bench, redis, server, workload, **options)


def sign_in(bench: Bench, environment: dict[str, str]) -> str:
    """Gives the application a new database; returns the clients' cookie."""
    database = bench.folder / "site.sqlite3"
    database.unlink(missing_ok=True)
    environment["RELAY_BENCH_DATABASE"] = str(database)
    command = [sys.executable, "-m", "peers.sign_in"]
    printed = subprocess.run(
        command, env=os.environ | environment, cwd=HERE, capture_output=True, text=True, check=True
    ).stdout
    return f"sessionid={printed.strip()}"
