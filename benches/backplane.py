"""Node to node, awxfast and what works like AWX's own side by side: `python benches/backplane.py [--quick]`.

Every workload runs several times, both kinds in turns, each time with fresh processes. What is measured has one core
to itself; Redis, producers and far ends share another. README.md has the method.
"""

import argparse
import functools
import json
import tempfile
from collections import defaultdict
from pathlib import Path

from machine.facts import build_wsload, machine
from machine.patience import measure_in_quiet
from machine.setting import Bench, Figures, add_core_options, add_run_options
from papers.link_aims import link_aims_table
from papers.tables import table
from peers.servers import RunFailed
from workloads.cluster_runs import measure_cluster
from workloads.clusters import CARRIERS, CLUSTERS, Cluster
from workloads.link_runs import measure, measure_kernel
from workloads.links import BOTH, MANY, WORKLOADS, Workload

QUICK_SECONDS = 1.5
KERNEL_SECONDS = 2.0
ALL = (*WORKLOADS, *CLUSTERS)
KINDS = (*BOTH, *CARRIERS)
KERNEL_TITLE = "What the kernel alone takes: prepared frames of 4 KiB, 64 a write"


def run_rounds(
    bench: Bench, workload: Workload | Cluster, rounds: int, patience: float
) -> tuple[dict[str, list[Figures]], dict[str, str]]:
    """The kinds in turns; and why one of them has no figures."""
    runs: dict[str, list[Figures]] = defaultdict(list)
    absent: dict[str, str] = {}
    for _ in range(rounds):
        for kind in (kind for kind in workload.kinds if kind not in absent):
            run = functools.partial(run_once, bench, kind, workload)
            try:
                figures = measure_in_quiet(run, patience)
            except RunFailed as failure:
                absent[kind] = str(failure)
            else:
                runs[kind].append(figures)
    return dict(runs), absent


def run_once(bench: Bench, kind: str, workload: Workload | Cluster) -> Figures:
    """One run, with fresh processes."""
    if isinstance(workload, Cluster):
        return measure_cluster(bench, kind, workload)
    return measure(bench, kind, workload)


def run_kernel(bench: Bench, rounds: int, patience: float) -> dict[str, list[Figures]]:
    """One link and many."""
    runs: dict[str, list[Figures]] = defaultdict(list)
    for _ in range(rounds):
        for links in (1, MANY):
            run = functools.partial(measure_kernel, bench, links, KERNEL_SECONDS)
            runs[f"{links} links" if links > 1 else "1 link"].append(measure_in_quiet(run, patience))
    return dict(runs)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_run_options(parser, [workload.name for workload in ALL])
    add_core_options(parser)
    parser.add_argument("--kinds", metavar="NAME,NAME", help=", ".join(KINDS))
    options = parser.parse_args()
    known = [workload.name for workload in ALL]
    options.only = options.only.split(",") if options.only else known
    options.kinds = options.kinds.split(",") if options.kinds else list(KINDS)
    for word in {*options.only} - {*known} | {*options.kinds} - {*KINDS}:
        parser.error(f"unknown workload or kind {word!r}")
    return options


def main() -> None:
    options = parse_options()
    about = machine()
    print("\n".join(f"{name}: {value}" for name, value in about.items()), flush=True)
    wsload = options.wsload.resolve() if options.wsload else build_wsload()
    rounds = 1 if options.quick else options.runs
    results: dict[str, dict[str, list[Figures]]] = {}
    with tempfile.TemporaryDirectory(prefix="backplane-bench-") as folder:
        bench = Bench(wsload, Path(folder), options.server_core, options.load_core)
        kernel = run_kernel(bench, rounds, options.patience)
        print(f"\n## {KERNEL_TITLE}\n\n{table(kernel)}", flush=True)
        for workload in (workload for workload in ALL if workload.name in options.only):
            chosen = workload.shortened(QUICK_SECONDS) if options.quick else workload
            chosen = chosen.among(options.kinds)
            if not chosen.kinds:
                continue
            results[workload.name], absent = run_rounds(bench, chosen, rounds, options.patience)
            print(f"\n## {workload.title}\n\n{table(results[workload.name], absent)}", flush=True)
            if options.json:  # after each workload: a run that is interrupted leaves what it has
                options.json.write_text(json.dumps({"about": about, "kernel": kernel, "results": results}, indent=1))
    print(f"\n## Aims\n\n{link_aims_table(results)}", flush=True)


if __name__ == "__main__":
    main()
