"""Where the parts of a run live, and the options that say so."""

import argparse
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

Figures = dict[str, float]
"""One run's, by name; `papers.tables` has their titles."""


@dataclass(frozen=True)
class Bench:
    """The load client's program, a folder for sockets and logs, and the cores of server and load (taskset(1))."""

    wsload: Path
    folder: Path
    server_core: int | str
    load_core: int | str

    def with_two_cores(self) -> Self:
        """The server has the first two; the load has the others, or shares these where there are none."""
        others = f"2-{count - 1}" if (count := os.cpu_count() or 1) > 2 else "0-1"
        return replace(self, server_core="0-1", load_core=others)


def add_run_options(parser: argparse.ArgumentParser, workloads: Iterable[str], runs: int = 3) -> None:
    """What every benchmark knows."""
    parser.add_argument("--quick", action="store_true", help="one short run each: does it work at all?")
    parser.add_argument("--runs", type=int, default=runs, help=f"how often each of them runs each workload ({runs})")
    parser.add_argument("--only", metavar="NAME,NAME", help=", ".join(workloads))
    parser.add_argument("--json", type=Path, metavar="FILE", help="every run's figures")
    parser.add_argument("--wsload", type=Path, help="the load client, already built")


def add_core_options(parser: argparse.ArgumentParser) -> None:
    """What every benchmark of interleaved runs knows besides, where server and load have a core each."""
    parser.add_argument("--patience", type=float, default=0, metavar="S", help="wait so long for a quiet machine (0)")
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
