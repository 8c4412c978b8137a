"""What reloads must keep, and the figures of a run as text."""

import statistics
from collections.abc import Mapping, Sequence

Figures = Mapping[str, float]

NOTHING = ("reordered", "repeated", "disconnected", "refused", "shed", "balance", "uncounted")
"""What must be 0 in each run."""
NOTHING_LOST = ("missing", "counted_lost")
"""The same where no consumer begins anew."""

AIMS: Mapping[str, Sequence[tuple[str, float]]] = {
    "native": [("max_over_calm_ms", 250.0)],
    "idle": [("silence_max_ms", 1000.0), ("kept_median_kib", 2.0)],
    "memory": [("grown_percent", 10.0)],
}
"""What the middle of all runs may be at most."""


def missed_aims(name: str, runs: Sequence[Figures]) -> list[str]:
    """What runs of a workload have not kept, in a line each."""
    nothing = NOTHING if name == "replay" else (*NOTHING, *NOTHING_LOST)
    missed = [
        f"{figure} {run[figure]:g} in run {number}"
        for number, run in enumerate(runs, 1)
        for figure in nothing
        if run[figure]
    ]
    for figure, most in AIMS.get(name, ()):
        middle = statistics.median(run[figure] for run in runs)
        if middle > most:
            missed.append(f"{figure} {middle:.4g}, at most {most:g}")
    return missed


def describe_run(run: Figures) -> str:
    """All its figures, a line each."""
    return "\n".join(f"{name:>20}  {value:,.6g}" for name, value in run.items()) + "\n"
