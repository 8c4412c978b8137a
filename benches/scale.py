"""Clusters of 2 to 500 nodes, simulated on measured unit costs: `python benches/scale.py`.

Prints the costs that it reads from scaling/costs.json, its assumptions, what is fullest with so many nodes for the
mesh, Redis Cluster and NATS, and internet scale with what gives way first. The same costs give the same figures.
README.md says which benches write the costs.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from scaling.loads import Load
from scaling.report import TITLES, blocks, load_table
from scaling.unit_costs import FILE, costs_of, merge, take_report
from write_papers import fill

PAGE = Path(__file__).resolve().parent.parent / "docs" / "scaling.md"


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, help="one cluster, with all that its parts do")
    parser.add_argument("--events", type=float, default=1000, help="a second, of all nodes (1000)")
    parser.add_argument("--browsers", type=float, default=1000, help="of all nodes (1000)")
    parser.add_argument("--watchers", type=float, default=10, help="browsers that an event goes to (10)")
    parser.add_argument("--stay", type=float, default=60, help="seconds after which a browser changes its group (60)")
    parser.add_argument("--engine-servers", type=int, default=3, help="masters, or servers of NATS (3)")
    parser.add_argument("--costs", type=Path, default=FILE, help="unit costs (scaling/costs.json)")
    parser.add_argument("--take", type=Path, nargs="+", default=[], metavar="FILE", help="reports to take costs from")
    parser.add_argument("--measure", action="store_true", help="measures what who wants what costs: 10 s")
    parser.add_argument("--write", action="store_true", help="writes the tables into docs/scaling.md")
    return parser


def renew(options: argparse.Namespace) -> dict[str, Any]:
    """Costs as the file has them, with what is newer; the file is written where there is."""
    written: dict[str, Any] = json.loads(options.costs.read_text()) if options.costs.exists() else {}
    for report in options.take:
        written = merge(written, take_report(json.loads(report.read_text())))
    if options.measure:
        from scaling.measured import measure_notices  # starts a Redis; nothing else here needs more than arithmetic

        written = merge(written, measure_notices())
    if options.take or options.measure:
        options.costs.write_text(json.dumps(written, indent=1) + "\n")
    return written


def main() -> None:
    options = build_parser().parse_args()
    costs = costs_of(renew(options))
    if options.nodes:
        load = Load(
            nodes=options.nodes,
            events=options.events,
            browsers=options.browsers,
            watchers=options.watchers,
            stay_s=options.stay,
            engine_servers=options.engine_servers,
        )
        print(load_table(costs, load))
        return
    found = blocks(costs)
    for name, words in found.items():
        print(f"## {TITLES[name]}\n\n{words}\n")
    if options.write:
        PAGE.write_text(fill(PAGE.read_text(), {f"scale-{name}": words for name, words in found.items()}))


if __name__ == "__main__":
    main()
