"""awxfast and its peers side by side: `python benches/relay.py [--quick] [--json FILE]`.

Every workload runs several times, the servers in turns, each time with a fresh server. The server has one core to
itself; Redis, producers and clients share another. README.md has the method.
"""

import argparse
import functools
import json
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from awxfast.process.limits import raise_descriptor_limit
from machine.facts import build_wsload, machine
from machine.patience import measure_in_quiet
from machine.setting import Bench, Figures, add_core_options, add_run_options
from papers.aims import aims_table
from papers.bounds import bounds_table
from papers.tables import table
from papers.work import work_table
from peers.lineup import SERVERS, absence, crowded
from peers.servers import Redis, RunFailed
from workloads.catalogue import HOSTED, RELAY, WORKLOADS
from workloads.kinds import Workload
from workloads.run import measure

QUICK_SECONDS = 1.0
SECONDS_A_MINUTE = 60


@dataclass
class Report:
    """What a whole benchmark has found; the JSON file is this."""

    about: dict[str, str]
    titles: dict[str, str] = field(default_factory=dict)
    results: dict[str, dict[str, list[Figures]]] = field(default_factory=dict)
    absent: dict[str, dict[str, str]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def write(self, file: Path) -> None:
        file.write_text(json.dumps(vars(self), indent=1) + "\n")


def run_workload(bench: Bench, workload: Workload, report: Report, options: argparse.Namespace, end: float) -> None:
    """All rounds, in turns, a Redis of its own for them; no further round is begun after `end` (monotonic)."""
    runs: dict[str, list[Figures]] = defaultdict(list)
    absent = {server: reason for server in workload.servers if (reason := absence(server, workload))}
    if options.servers:
        chosen = [server for server in workload.servers if server in options.servers]
    else:
        chosen = list(workload.servers)
    load_core = bench.with_two_cores().load_core if workload.has_two_cores else bench.load_core
    with Redis(bench.folder, load_core) as redis:
        for done in range(1 if options.quick else options.runs):
            if done and time.monotonic() > end:
                absent["all"] = f"{done} instead of {options.runs} rounds: the time was over"
                break
            for server in (server for server in chosen if server not in absent):
                run = functools.partial(measure, bench, redis, server, workload)
                try:
                    runs[server].append(measure_in_quiet(run, options.patience))
                except RunFailed as reason:
                    print(f"{workload.name}, {server}: {reason}", file=sys.stderr, flush=True)
                    absent[server] = f"failed: {reason}"
    report.results[workload.name] = dict(runs)
    report.absent[workload.name] = absent


def choose(options: argparse.Namespace, descriptors: int, report: Report) -> list[Workload]:
    """What to run; what can't be run is noted."""
    named = [workload for workload in WORKLOADS if workload.name in options.only]
    if options.quick:
        named = [chosen for workload in named if (chosen := workload.shortened(QUICK_SECONDS)).servers]
    for workload in named:
        if reason := crowded(workload, descriptors):
            report.absent[workload.name] = {"all": reason}
            print(f"\n## {workload.title}\n\n{reason}", flush=True)
    return [workload for workload in named if workload.name not in report.absent]


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_run_options(parser, [workload.name for workload in WORKLOADS])
    add_core_options(parser)
    parser.add_argument("--minutes", type=float, default=33, help="begin no second or third round after so long (33)")
    parser.add_argument("--hosting", action="store_true", help="daphne's application under either server instead")
    parser.add_argument("--servers", metavar="NAME,NAME", help=", ".join(SERVERS))
    options = parser.parse_args()
    known = {workload.name for workload in WORKLOADS}
    usual = HOSTED if options.hosting else RELAY
    options.only = options.only.split(",") if options.only else [workload.name for workload in usual]
    options.servers = options.servers.split(",") if options.servers else []
    ways = {server for workload in WORKLOADS for server in workload.servers}
    for word in {*options.only} - known | {*options.servers} - {*SERVERS} - ways:
        parser.error(f"unknown workload or server {word!r}")
    return options


def main() -> None:
    options = parse_options()
    end = time.monotonic() + options.minutes * SECONDS_A_MINUTE
    report = Report(machine())
    print("\n".join(f"{name}: {value}" for name, value in report.about.items()), flush=True)
    wsload = options.wsload.resolve() if options.wsload else build_wsload()
    chosen = choose(options, raise_descriptor_limit(), report)
    with tempfile.TemporaryDirectory(prefix="relay-bench-") as folder:
        bench = Bench(wsload, Path(folder), options.server_core, options.load_core)
        for workload in chosen:
            begin = time.monotonic()
            run_workload(bench, workload, report, options, end)
            report.titles[workload.name] = workload.title
            report.seconds[workload.name] = time.monotonic() - begin
            found = table(report.results[workload.name], report.absent[workload.name])
            print(f"\n## {workload.title}\n\n{found}", flush=True)
            if options.json:  # after each workload: a run that is interrupted leaves what it has
                report.write(options.json)
    print(f"\n## What bounded each run\n\n{bounds_table(report.results)}", flush=True)
    print(f"\n## Where the server's CPU time went\n\n{work_table(report.results)}", flush=True)
    print(f"\n## Goals\n\n{aims_table(report.results)}", flush=True)


if __name__ == "__main__":
    main()
