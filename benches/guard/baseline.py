"""The committed baseline: for each row a ratio to a yardstick, and how far it may worsen before that is no noise."""

import dataclasses
import json
import platform
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

NOISE = {"time": 0.5, "instructions": 0.15, "bytes": 0.05, "calls": 0.5}
"""What is stated at least, by kind of row (a row's last word). Counts differ by compiler, times by everything."""
NOTHING = 0.01
"""What a ratio of zero may become: an allocation or two at the start."""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """`ratio`: less is better. `noise`: by what part of itself it may worsen."""

    ratio: float
    noise: float

    def allowed(self, slack: float = 1.0) -> float:
        """The worst ratio that passes, with the noise so many times as large."""
        return max(self.ratio * (1 + self.noise * slack), NOTHING if self.ratio == 0 else 0)


@dataclasses.dataclass(frozen=True, slots=True)
class Baseline:
    """`machine`: the architecture on which instructions were counted; those of another say nothing."""

    machine: str
    rows: Mapping[str, Row]

    @classmethod
    def load(cls, path: Path) -> "Baseline":
        document = json.loads(path.read_text())
        return cls(document["machine"], {name: Row(**row) for name, row in document["rows"].items()})

    @classmethod
    def of_runs(cls, runs: Sequence[Mapping[str, float]]) -> "Baseline":
        """The median of several runs, with twice what they differ as noise, if that is more than `NOISE`."""
        names = sorted(set[str]().union(*runs))
        ratios = {name: [run[name] for run in runs if name in run] for name in names}
        return cls(platform.machine(), {name: _row_of(name, found) for name, found in ratios.items()})

    def save(self, path: Path) -> None:
        rows = [f"    {json.dumps(name)}: {json.dumps(dataclasses.asdict(row))}" for name, row in self.rows.items()]
        body = ",\n".join(rows)
        path.write_text(f'{{\n  "machine": {json.dumps(self.machine)},\n  "rows": {{\n{body}\n  }}\n}}\n')

    def findings(self, measured: Mapping[str, float], skipped: Iterable[str], slack: float) -> dict[str, str]:
        """What is wrong, by row, each in one line. Rows of the kinds in `skipped` need not be there.

        `slack` widens the noise of times, for a busy machine or another than the baseline's; counts don't differ.
        """
        found: dict[str, str] = {}
        for name in sorted(self.rows.keys() | measured.keys()):
            if (finding := self._finding(name, measured, slack)) and not (
                name not in measured and kind_of(name) in set(skipped)
            ):
                found[name] = finding
        return found

    def _finding(self, name: str, measured: Mapping[str, float], slack: float) -> str | None:
        if name not in self.rows:
            return f"{name}: not in the baseline; make bench-baseline adds it"
        if name not in measured:
            return f"{name}: in the baseline, but not measured"
        row = self.rows[name]
        allowed = row.allowed(slack if kind_of(name) == "time" else 1.0)
        if measured[name] <= allowed:
            return None
        return f"{name}: ratio {measured[name]:.4g}, baseline {row.ratio:.4g}, allowed {allowed:.4g}"


def kind_of(name: str) -> str:
    """`time`, `instructions`, `bytes` or `calls`."""
    return name.rpartition(" ")[2]


def _row_of(name: str, ratios: Sequence[float]) -> Row:
    ratio = statistics.median(ratios)
    spread = (max(ratios) - min(ratios)) / ratio if ratio else 0.0
    return Row(float(f"{ratio:.4g}"), max(NOISE[kind_of(name)], round(2 * spread, 2)))
