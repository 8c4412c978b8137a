"""Limits of the process: descriptors, how many clients fit under them, worker threads, garbage."""

import asyncio
import gc
import resource
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from awxfast.system.descriptors import descriptor_limit

RESERVE = 128
"""Descriptors for all but clients: listeners, Redis, epoll, logs, heads that are read before a client is refused."""

YOUNG_OBJECTS = 5_000
"""Containers that may be made before the youngest are looked through. A client brings some hundred that stay; with
Python's 700, a tenth of what a handshake costs is looking for garbage among them."""
ROUNDS = 1
"""So many times the youngest before those that were left are looked through, all in one turn of the loop: of six times
as many it took 15 to 30 ms, of twenty-four times as many 30 to 80."""
FULL_ROUNDS = 480
"""So many times those before all are, if they are a quarter more by then."""


def raise_descriptor_limit() -> int:
    """Raises the soft limit to the hard one, and returns it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return descriptor_limit()


def describe_limits(former: int, clients: int) -> str:
    """For the log: `former` is the soft limit that the process was started with, `clients` how many it lets in."""
    soft, hard = (show_limit(limit) for limit in resource.getrlimit(resource.RLIMIT_NOFILE))
    raised = f", raised from {show_limit(former)}" if show_limit(former) != soft else ""
    return f"Descriptors: at most {soft}{raised} (hard limit {hard}); clients: at most {clients}"


def show_limit(limit: int) -> str:
    """A number, or that there is none."""
    return "unlimited" if limit == resource.RLIM_INFINITY else str(limit)


def collect_garbage_seldom() -> None:
    """What was imported is never looked through again, all else less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, ROUNDS, FULL_ROUNDS)


def bound_worker_threads(loop: asyncio.AbstractEventLoop, environ: Mapping[str, str]) -> None:
    """ASGI_THREADS bounds the threads for synchronous code, as under daphne."""
    if "ASGI_THREADS" in environ:
        loop.set_default_executor(ThreadPoolExecutor(max_workers=int(environ["ASGI_THREADS"])))


def most_clients(descriptors: int, speaks_tls: bool = False, workers: int = 1) -> int:
    """A client holds two descriptors: the connection's, and the fan-out's duplicate. At least one fits.

    One behind TLS may hold five: its own, both ends of a bridge, the duplicate, and what waits for the bridge's end.
    Each of several processes has the descriptors to itself.
    """
    return max(1, (descriptors - RESERVE) // (5 if speaks_tls else 2)) * workers
