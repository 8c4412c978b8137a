"""How fast this machine moves frames: by a program that only sends (wsload rawlimit), and by the fan-out alone."""

import json
import subprocess
import sys
from pathlib import Path

from load import Clients, Worker
from servers import RunFailed
from setting import Bench, Figures
from workloads import Alone

PROGRAM = str(Path(__file__).with_name("fanout_alone.py"))
MARGIN_SECONDS = 20


def measure_alone(bench: Bench, way: str, workload: Alone) -> Figures:
    """`raw` or `fan-out`."""
    return raw_limit(bench, workload) if way == "raw" else fan_out_alone(bench, workload)


def raw_limit(bench: Bench, workload: Alone) -> Figures:
    """What one core can send, and the load client take, when frames cost nothing to find."""
    command = ["taskset", "-c", f"{bench.server_core},{bench.load_core}", str(bench.wsload), "rawlimit"]
    command += ["--size", str(workload.size), "--clients", str(workload.clients), "--batch", str(workload.batch)]
    command += ["--seconds", str(workload.seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RunFailed(done.stderr.strip())
    limit: Figures = json.loads(done.stdout.splitlines()[-1])["rawlimit"]
    return limit


def fan_out_alone(bench: Bench, workload: Alone) -> Figures:
    """The extension's Fanout with a generator of events before it, on the server's core."""
    options = {"clients": workload.clients, "size": workload.size, "batch": workload.batch, "seconds": workload.seconds}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    with Worker([sys.executable, PROGRAM, *words], bench.server_core) as sender:
        address = sender.line().strip()
        with Clients(
            bench.wsload,
            bench.load_core,
            "read",
            address,
            workload.clients,
            protocol="bare",
            seconds=workload.seconds + MARGIN_SECONDS,
        ) as clients:
            sender.tell("go")
            sent = json.loads(sender.line())
            seen = clients.result(sent["events"] * workload.clients)
    seconds = (seen["last_frame_ns"] - seen["first_frame_ns"]) / 1e9
    return {
        "frames_per_s": seen["frames"] / seconds if seconds else 0.0,
        "sender_cpu_s_per_m": sent["cpu_s"] / seen["frames"] * 1e6,
        "reader_cpu_s_per_m": seen["cpu_s"] / seen["frames"] * 1e6,
        "missing": sent["events"] * workload.clients - seen["frames"],
    }
