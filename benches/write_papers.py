"""Writes a run's figures into the papers: `python benches/write_papers.py FIGURES.json [FIGURES.json ...]`.

In README.md and docs/performance.md everything between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->` is replaced;
the plots go to docs/plots/. What the files have no figures for stays as it is. So no figure is typed by hand. Workloads
that a later file has again take the place of the earlier's, and the papers say when they were run.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from papers.aims import aims_table
from papers.bounds import bounds_table
from papers.plots import PLOTS
from papers.summary import GLANCE_ROWS, HOSTED_COLUMNS, HOSTED_ROWS, RELAY_COLUMNS, RELAY_ROWS, summary_table
from papers.tables import table
from papers.work import work_table

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "README.md", ROOT / "docs" / "performance.md")
PLOTS_FOLDER = ROOT / "docs" / "plots"
BLOCK = re.compile(r"(<!-- bench:([a-z0-9-]+) -->\n)(.*?)(<!-- /bench:\2 -->)", re.DOTALL)
Report = dict[str, Any]
"""What relay.py wrote into its report."""


def blocks(report: Report) -> dict[str, str]:
    """Markdown by the name of its block."""
    results, absent = report["results"], report["absent"]
    tables = {name: table(runs, absent.get(name)) for name, runs in results.items()}
    everything = [f"### {report['titles'][name]}\n\n{found}" for name, found in tables.items()]
    whole = {
        "machine": machine_words(report["about"], results),
        "goals": aims_table(results),
        "bounds": bounds_table(results),
        "work": work_table(results),
        "everything": "\n\n".join(everything),
    }
    if is_hosting(report):
        hosted = {f"{name}-hosting": words for name, words in whole.items()}
        return {**hosted, **tables, "summary-hosting": summary_table(results, HOSTED_COLUMNS, HOSTED_ROWS)}
    short = {"glance": GLANCE_ROWS, "summary": RELAY_ROWS}
    return {
        **whole,
        **tables,
        **{name: summary_table(results, RELAY_COLUMNS, rows) for name, rows in short.items()},
    }


def is_hosting(report: Report) -> bool:
    """Whether it is of an application under either server."""
    return all(name.startswith("hosted-") for name in report["results"])


def merge(reports: Sequence[Report]) -> list[Report]:
    """One report of each kind, in which workloads of later ones have replaced those of earlier ones."""
    merged: dict[bool, Report] = {}
    for later in reports:
        whole = merged.setdefault(is_hosting(later), later)
        if whole is not later:
            whole["about"]["date"] += f" ({', '.join(later['results'])}: {later['about']['date']})"
            for part in ("titles", "results", "absent"):
                whole[part].update(later[part])
    return list(merged.values())


def plots(report: Report) -> dict[str, str]:
    """SVG by name, of what has figures."""
    return {name: drawn for name, draw in PLOTS.items() if (drawn := draw(report["results"]))}


def links(drawn: Mapping[str, str]) -> dict[str, str]:
    """The blocks that show them."""
    return {f"plot-{name}": f"![{name}]({PLOTS_FOLDER.name}/{name}.svg)" for name in drawn}


def machine_words(about: Mapping[str, str], results: Mapping[str, Mapping[str, list[Any]]]) -> str:
    """When, where, with what, how often."""
    counts = {len(found) for runs in results.values() for found in runs.values() if found}
    often = f"{min(counts)} to {max(counts)} runs" if len(counts) > 1 else f"{max(counts, default=0)} runs"
    versions = ", ".join(f"{name} {value}" for name, value in about.items() if name not in ("date", "machine"))
    return f"{about['date']}, {about['machine']}; {often} of each; {versions}."


def fill(page: str, found: Mapping[str, str]) -> str:
    """The page with its blocks replaced. A block without figures stays; `ValueError` for one that is never closed."""
    if page.count("<!-- bench:") != len(BLOCK.findall(page)):
        raise ValueError("a block is not closed, or its name is not a-z, 0-9 and -")
    return BLOCK.sub(lambda match: replace(match, found.get(match[2], "")), page)


def replace(match: re.Match[str], words: str) -> str:
    return f"{match[1]}{words}\n{match[4]}" if words else match[0]


def main() -> None:
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    PLOTS_FOLDER.mkdir(exist_ok=True)
    for report in merge([json.loads(Path(file).read_text()) for file in sys.argv[1:]]):
        drawn = plots(report)
        for name, chart in drawn.items():
            (PLOTS_FOLDER / f"{name}.svg").write_text(chart)
        for page in PAGES:
            page.write_text(fill(page.read_text(), {**blocks(report), **links(drawn)}))


if __name__ == "__main__":
    main()
