"""The project's aims for the relay, held against what a run gave."""

from collections.abc import Callable
from dataclasses import dataclass

from tables import Figures, better, collect, markdown, spread

Results = dict[str, dict[str, list[Figures]]]


@dataclass(frozen=True)
class Aim:
    """One aim; `figures` finds the values of all runs."""

    words: str
    workload: str
    servers: frozenset[str]
    figures: Callable[[dict[str, list[Figures]]], list[float]]


BOTH = frozenset({"daphne", "awxfast"})
ALONE = frozenset({"awxfast"})

AIMS = (
    Aim(
        "100 times daphne's frames per CPU second, flat out, 1 KiB",
        "flat-out",
        BOTH,
        lambda runs: better("frames_per_cpu_s", runs),
    ),
    Aim(
        "p99 at 10 events a second an eighth of daphne's",
        "rate-10",
        BOTH,
        lambda runs: better("p99_ms", runs),
    ),
    Aim(
        "8 KiB of memory an idle client",
        "idle",
        ALONE,
        lambda runs: collect("rss_kib_a_client", runs["awxfast"]),
    ),
    Aim(
        "15,000 events a second of 4 KiB to 100 clients: no frame missing",
        "rate-15000",
        ALONE,
        lambda runs: collect("missing", runs["awxfast"]),
    ),
    Aim(
        "the same, events a second that the producer really made",
        "rate-15000",
        ALONE,
        lambda runs: collect("made_per_s", runs["awxfast"]),
    ),
)


def aims_table(results: Results) -> str:
    """Markdown; aims whose workload was not run are left out."""
    lines = [["aim", "got"]]
    for aim in AIMS:
        runs = results.get(aim.workload, {})
        if aim.servers <= runs.keys():
            lines.append([aim.words, spread(aim.figures(runs))])
    return markdown(lines)
