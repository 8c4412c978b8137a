"""wrk: plain requests over connections that are kept, one under way on each."""

import re
import resource
import subprocess

from peers.servers import RunFailed

UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}
"""wrk's units of time in milliseconds."""
MARGIN_SECONDS = 20


def fetch_pages(core: int, address: str, connections: int, seconds: float) -> dict[str, float]:
    """Runs wrk on a core. Raises `RunFailed` when a response failed, was late or was none of the 2xx."""
    command = ["taskset", "-c", str(core), "wrk", "--latency", "--threads", "1", "--connections", str(connections)]
    before = cpu_seconds_of_children()
    try:
        done = subprocess.run(
            [*command, "--duration", f"{seconds:g}s", f"http://{address}/"],
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds + MARGIN_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise RunFailed("wrk did not end") from error
    return {**read_words(done.stdout, done.stderr), "cpu_s": cpu_seconds_of_children() - before}


def read_words(words: str, complaint: str = "") -> dict[str, float]:
    """What wrk printed: requests, seconds, and latencies in ms."""
    counted = re.search(r"([\d.]+) requests in ([\d.]+)(us|ms|s|m),", words)
    if counted is None or "Socket errors" in words or "Non-2xx" in words:
        raise RunFailed(f"wrk: {complaint or words}")
    percentiles = dict.fromkeys(("50", "99"), 0.0)
    for percent, value, unit in re.findall(r"^ +(50|99)% +([\d.]+)(us|ms|s|m)$", words, re.MULTILINE):
        percentiles[percent] = float(value) * UNITS[unit]
    return {
        "requests": float(counted[1]),
        "seconds": float(counted[2]) * UNITS[counted[3]] / 1e3,
        "p50_ms": percentiles["50"],
        "p99_ms": percentiles["99"],
    }


def cpu_seconds_of_children() -> float:
    """Of those that have ended and were waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
