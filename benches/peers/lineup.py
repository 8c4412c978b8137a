"""Who can be measured, and who can't here."""

import importlib.util
import shutil
from collections.abc import Callable

from workloads.kinds import Requests, Workload

from peers.behind_nginx import BehindNginx
from peers.compared import NCHAN_MODULE, Daphne, Granian, Hypercorn, Nchan, Uvicorn
from peers.servers import Awxfast, Direct, Encrypted, Hosted, Hosts, Lists, OneWorker, PubSub, Server, TwoWorkers

CLASSES: tuple[type[Server], ...] = (
    Daphne,
    Uvicorn,
    Granian,
    Hypercorn,
    Nchan,
    Hosted,
    Direct,
    Awxfast,
    Encrypted,
    Hosts,
    Lists,
    PubSub,
    BehindNginx,
    OneWorker,
    TwoWorkers,
)
SERVERS: dict[str, Callable[..., Server]] = {server.name: server for server in CLASSES}
OURS = (
    "hosted",
    "direct",
    "awxfast",
    "encrypted",
    "hosts",
    "lists",
    "pubsub",
    "nginx+awxfast",
    "one-worker",
    "two-workers",
)
SPARE_DESCRIPTORS = 300
DESCRIPTORS_A_CLIENT = 2
"""awxfast's; the others and the load client need one."""


def absence(server: str, workload: Workload | None = None) -> str:
    """Why a server can't be measured here, or not with that workload; empty if it can."""
    if isinstance(workload, Requests) and not shutil.which("wrk"):
        return "wrk is not installed"
    if server == "nchan":
        found = shutil.which("nginx") and NCHAN_MODULE.exists()
        return "" if found else "not installed (Debian: libnginx-mod-nchan)"
    if server == "nginx+awxfast":
        return "" if shutil.which("nginx") else "nginx is not installed"
    known = server not in SERVERS or server in OURS or importlib.util.find_spec(server)
    return "" if known else "not installed (the extra `bench`)"


def crowded(workload: Workload, descriptors: int) -> str:
    """Why a workload has too many clients for this machine; empty if it has not."""
    needed = DESCRIPTORS_A_CLIENT * getattr(workload, "clients", 0) + SPARE_DESCRIPTORS
    return f"needs {needed:,} descriptors, {descriptors:,} are allowed" if needed > descriptors else ""
