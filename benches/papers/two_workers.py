"""Two workers' figures by one's."""

from collections.abc import Callable, Mapping

from papers.tables import Runs, collect

ONE, TWO = "one-worker", "two-workers"
ROOM_PERCENT = 20.0
"""Of a core, for load and strangers together: with more, two cores don't have 1.7 times what one worker gets."""

Ratios = Callable[[Mapping[str, Runs]], list[float]]


def by_one(name: str, workload: str) -> Ratios:
    """A figure's ratio in each round."""

    def ratios(results: Mapping[str, Runs]) -> list[float]:
        runs = results.get(workload, {})
        pairs = zip(collect(name, runs.get(ONE, ())), collect(name, runs.get(TWO, ())), strict=False)
        return [ours / base for base, ours in pairs if base]

    return ratios


def where_there_is_room(name: str, workload: str) -> Ratios:
    """The same, of the rounds whose load left the two cores to the workers."""

    def ratios(results: Mapping[str, Runs]) -> list[float]:
        runs = results.get(workload, {}).get(TWO, ())
        busy = [run["load_core_percent"] + run["strangers_cpu_percent"] for run in runs]
        pairs = zip(by_one(name, workload)(results), busy, strict=False)
        return [ratio for ratio, percent in pairs if percent <= ROOM_PERCENT]

    return ratios
