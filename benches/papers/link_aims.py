"""The project's aims for the backplane, held against what a run gave."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workloads.clusters import CARRIERS, FEW, MORE

from papers.aims import Results
from papers.tables import Figures, Runs, better, collect, markdown, spread

WAYS = ("out", "in")


def ours_of(runs: Runs) -> Sequence[Figures]:
    return runs.get("awxfast", ())


@dataclass(frozen=True)
class LinkAim:
    """One aim; `figures` finds the values of all runs of `workloads`."""

    words: str
    workloads: tuple[str, ...]
    figures: Callable[..., list[float]]


def rates(runs: Runs) -> list[float]:
    return collect("events_per_s", ours_of(runs))


def gain(runs: Runs) -> list[float]:
    return better("events_per_cpu_s", runs)


def growth(one: Runs, many: Runs) -> list[float]:
    """CPU time of an event to many over that of one to a single link, run by run."""
    pairs = zip(collect("cpu_us_an_event", ours_of(one)), collect("cpu_us_an_event", ours_of(many)), strict=False)
    return [of_many / of_one for of_one, of_many in pairs if of_one]


def latency(runs: Runs) -> list[float]:
    return collect("p99_ms", ours_of(runs))


def sender_growth(kind: str) -> Callable[[Runs, Runs], list[float]]:
    """The sender's CPU time of an event with more nodes over that with few, run by run."""

    def ratios(few: Runs, more: Runs) -> list[float]:
        values = (collect("sender_us_an_event", runs.get(kind, ())) for runs in (few, more))
        return [of_more / of_few for of_few, of_more in zip(*values, strict=False) if of_few]

    return ratios


def latency_of(kind: str) -> Callable[[Runs], list[float]]:
    return lambda runs: collect("p99_ms", runs.get(kind, ()))


def aims_for(part: str, name: str) -> tuple[LinkAim, ...]:
    """What holds for the dialler and for the server alike."""
    several = (("500", "500 events a second"), ("5000", "5,000 events a second"), ("flat", "flat out"))
    return (
        *(LinkAim(f"15,000 events a second, {name}, {way}", (f"{part}-{way}-flat",), rates) for way in WAYS),
        *(LinkAim(f"20 times the events per CPU second, {name}, {way}", (f"{part}-{way}-flat",), gain) for way in WAYS),
        *(
            LinkAim(
                f"24 links' CPU over one's (below 2), {name}, {words}",
                (f"{part}-out-{rate}", f"{part}-24-{rate}"),
                growth,
            )
            for rate, words in several
        ),
    )


LINK_AIMS = (
    *aims_for("dialler", "dialler"),
    *aims_for("node", "server"),
    *(
        LinkAim(f"p99 node to node at {rate} events a second, ms", (f"latency-{rate}",), latency)
        for rate in (100, 1000)
    ),
    *(
        LinkAim(
            f"the sender's CPU an event, {MORE} nodes over {FEW} (at most 1.2), {kind}, {words}",
            (f"nodes-{FEW}-{rate}", f"nodes-{MORE}-{rate}"),
            sender_growth(kind),
        )
        for kind in CARRIERS
        for rate, words in (("1000", "1,000 events a second"), ("flat", "flat out"))
    ),
    *(
        LinkAim(f"p99 with {FEW} nodes at 1,000 events a second (below 5), {kind}, ms", (name,), latency_of(kind))
        for kind in CARRIERS
        for name in (f"nodes-{FEW}-1000",)
    ),
)


def link_aims_table(results: Results) -> str:
    """Markdown; aims whose workloads were not run are left out, and values that need both kinds."""
    lines = [["aim", "got"]]
    for aim in LINK_AIMS:
        if {*aim.workloads} <= results.keys():
            values = spread(aim.figures(*(results[name] for name in aim.workloads)))
            lines.append([aim.words, values])
    return markdown(lines)
