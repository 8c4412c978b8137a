"""How fast this machine moves frames: by a program that only sends, and by the fan-out alone; both are wsload's."""

import json
import subprocess

from machine.setting import Bench, Figures
from peers.servers import RunFailed
from traffic.processes import words_of

from workloads.kinds import Alone

MODES = {"raw": "rawlimit", "fan-out": "fanoutlimit"}


def measure_alone(bench: Bench, way: str, workload: Alone) -> Figures:
    """`raw` or `fan-out`: the sender on the server's core, the usual reader on the load's."""
    options = {
        "size": workload.size,
        "clients": workload.clients,
        "batch": workload.batch,
        "seconds": workload.seconds,
        "server_core": bench.server_core,
        "load_core": bench.load_core,
    }
    done = subprocess.run(
        [str(bench.wsload), MODES[way], *words_of(options)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RunFailed(done.stderr.strip())
    limit: Figures = json.loads(done.stdout.splitlines()[-1])[MODES[way]]
    return limit
