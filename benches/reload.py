"""Reloads under load: `python benches/reload.py [--quick] [--only NAME,NAME]`.

Each run has fresh processes; all of them share all cores. README.md has the method. Exit code 1: an aim is missed.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from machine.facts import build_wsload, machine
from machine.setting import Bench, Figures, add_run_options
from papers.reload_aims import describe_run, missed_aims
from workloads.reload_runs import measure_reloads
from workloads.reloads import WORKLOADS

QUICK_CLIENTS = 50
QUICK_RELOADS = 2


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = [workload.name for workload in WORKLOADS]
    add_run_options(parser, known, runs=1)
    options = parser.parse_args()
    options.only = options.only.split(",") if options.only else known
    if unknown := {*options.only} - {*known}:
        parser.error(f"unknown workloads {sorted(unknown)}")
    return options


def main() -> None:
    options = parse_options()
    about = machine()
    print("\n".join(f"{name}: {value}" for name, value in about.items()), flush=True)
    wsload = options.wsload.resolve() if options.wsload else build_wsload()
    results: dict[str, list[Figures]] = {}
    missed: list[str] = []
    cores = f"0-{(os.cpu_count() or 1) - 1}"
    for workload in (workload for workload in WORKLOADS if workload.name in options.only):
        chosen = workload.shortened(QUICK_CLIENTS, QUICK_RELOADS) if options.quick else workload
        print(f"\n## {workload.name}: {workload.title}{' (shortened)' if options.quick else ''}\n", flush=True)
        runs = results[workload.name] = []
        for _ in range(1 if options.quick else options.runs):
            with tempfile.TemporaryDirectory(prefix="reload-bench-") as folder:
                bench = Bench(wsload, Path(folder), cores, cores)
                runs.append(measure_reloads(bench, chosen))
            print(describe_run(runs[-1]), flush=True)
        missed += [f"{workload.name}: {aim}" for aim in missed_aims(workload.name, runs)]
        if options.json:  # after each workload: a run that is interrupted leaves what it has
            options.json.write_text(json.dumps({"about": about, "results": results}, indent=1))
    print("\n## Aims missed\n\n" + ("\n".join(missed) or "none"), flush=True)
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
