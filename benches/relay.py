"""awxfast and daphne side by side: `python benches/relay.py [--quick] [--json FILE]`.

Every workload runs several times, daphne and awxfast in turns, each time with a fresh server. The server has one core
to itself; Redis, producers and clients share another. README.md has the method.
"""

import argparse
import functools
import json
import os
import platform
import subprocess
import tempfile
import time
from collections import defaultdict
from importlib import metadata
from pathlib import Path

from aims import aims_table
from measure import Bench, Figures, measure
from patience import measure_in_quiet
from servers import SERVERS, Redis
from tables import table
from workloads import HOSTED, RELAY, WORKLOADS, Workload

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("awxfast", "daphne", "channels", "channels-redis", "django", "redis", "hiredis", "uvloop")
QUICK_SECONDS = 2.0
RAW_TITLE = "What the machine can do: prepared frames to 100 connections, 32 a write"
RAW_SECONDS = 2.0
RAW_SIZES = (1024, 4096)


def machine() -> dict[str, str]:
    """Where and with what this was measured."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    processor = models[0] if models else platform.machine()
    redis = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True).stdout.split()
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "machine": f"{os.cpu_count()} x {processor}, Linux {platform.release()}",
        "tcp": Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip(),
        "python": platform.python_version(),
        "redis-server": next(word.removeprefix("v=") for word in redis if word.startswith("v=")),
        **{package: package_version(package) for package in PACKAGES},
    }


def package_version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "from the source tree"


def build_wsload() -> Path:
    """Builds the load client in release mode, if cargo finds it changed."""
    subprocess.run(["cargo", "build", "--quiet", "--release", "-p", "wsload"], cwd=ROOT, check=True)
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "wsload"


def raw_limit(bench: Bench, size: int) -> Figures:
    """What one core can send, and the load client take, when frames of `size` bytes cost nothing to find."""
    command = ["taskset", "-c", f"{bench.server_core},{bench.load_core}", str(bench.wsload), "rawlimit"]
    command += ["--size", str(size), "--seconds", str(RAW_SECONDS)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    limit: Figures = json.loads(printed.splitlines()[-1])["rawlimit"]
    return limit


def raw_limits(bench: Bench, rounds: int, patience: float) -> dict[str, list[Figures]]:
    """`raw_limit` for the sizes that the workloads use."""
    limits: dict[str, list[Figures]] = defaultdict(list)
    for _ in range(rounds):
        for size in RAW_SIZES:
            limits[f"{size} B"].append(measure_in_quiet(functools.partial(raw_limit, bench, size), patience))
    return dict(limits)


def run_rounds(
    bench: Bench, workload: Workload, servers: list[str], rounds: int, patience: float
) -> dict[str, list[Figures]]:
    """The servers in turns, `rounds` times; a Redis of its own for all of them."""
    runs: dict[str, list[Figures]] = defaultdict(list)
    with Redis(bench.folder, bench.load_core) as redis:
        for _ in range(rounds):
            for server in servers:
                run = functools.partial(measure, bench, redis, server, workload)
                runs[server].append(measure_in_quiet(run, patience))
    return dict(runs)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short run each: does it work at all?")
    parser.add_argument("--runs", type=int, default=3, help="how often each server runs each workload (3)")
    parser.add_argument("--hosting", action="store_true", help="daphne's application under either server instead")
    parser.add_argument("--only", metavar="NAME,NAME", help=", ".join(workload.name for workload in WORKLOADS))
    parser.add_argument("--servers", metavar="NAME,NAME", help=", ".join(SERVERS))
    parser.add_argument("--patience", type=float, default=0, metavar="S", help="wait so long for a quiet machine (0)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="every run's figures")
    parser.add_argument("--wsload", type=Path, help="the load client, already built")
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    options = parser.parse_args()
    known = {workload.name for workload in WORKLOADS}
    usual = HOSTED if options.hosting else RELAY
    options.only = options.only.split(",") if options.only else [workload.name for workload in usual]
    options.servers = (options.servers or ("daphne,hosted,direct" if options.hosting else "daphne,awxfast")).split(",")
    for word in {*options.only} - known | {*options.servers} - {*SERVERS}:
        parser.error(f"unknown workload or server {word!r}")
    return options


def main() -> None:
    options = parse_options()
    about = machine()
    print("\n".join(f"{name}: {value}" for name, value in about.items()), flush=True)
    wsload = options.wsload.resolve() if options.wsload else build_wsload()
    results: dict[str, dict[str, list[Figures]]] = {}
    with tempfile.TemporaryDirectory(prefix="relay-bench-") as folder:
        bench = Bench(wsload, Path(folder), options.server_core, options.load_core)
        rounds = 1 if options.quick else options.runs
        limits = raw_limits(bench, rounds, options.patience)
        print(f"\n## {RAW_TITLE}\n\n{table(limits)}", flush=True)
        for workload in (workload for workload in WORKLOADS if workload.name in options.only):
            chosen = workload.shortened(QUICK_SECONDS) if options.quick else workload
            servers = [server for server in chosen.servers if server in options.servers]
            if not servers:
                continue
            results[workload.name] = run_rounds(bench, chosen, servers, rounds, options.patience)
            print(f"\n## {workload.title}\n\n{table(results[workload.name])}", flush=True)
            if options.json:  # after each workload: a run that is interrupted leaves what it has
                options.json.write_text(json.dumps({"about": about, "limits": limits, "results": results}, indent=1))
    print(f"\n## Aims\n\n{aims_table(results)}", flush=True)


if __name__ == "__main__":
    main()
