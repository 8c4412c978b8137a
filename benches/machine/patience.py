"""Keeps other work on the machine out of the figures, as far as waiting helps."""

import time
from collections.abc import Callable

from machine.accounting import machine_cpu_seconds
from machine.setting import Figures

SAMPLE_SECONDS = 1.0
QUIET_CORES = 0.1
"""Busy cores below which the machine counts as quiet."""
STRANGERS_PERCENT = 25.0
"""Of one core: a run with more of it was disturbed."""
ATTEMPTS = 4


def measure_in_quiet(run: Callable[[], Figures], patience: float) -> Figures:
    """The first run that was not disturbed, else the least disturbed of several.

    `patience` is how long (seconds) each run may wait for a quiet machine; without any, the first run counts.
    """
    runs: list[Figures] = []
    for _ in range(ATTEMPTS if patience else 1):
        wait_for_quiet(patience)
        runs.append(run())
        if strangers(runs[-1]) <= STRANGERS_PERCENT:
            break
    return min(runs, key=strangers)


def strangers(figures: Figures) -> float:
    return figures.get("strangers_cpu_percent", 0.0)


def wait_for_quiet(patience: float) -> None:
    """Returns once the machine was quiet for a moment, or patience is at its end."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        before = machine_cpu_seconds()
        time.sleep(SAMPLE_SECONDS)
        if machine_cpu_seconds() - before < QUIET_CORES * SAMPLE_SECONDS:
            return
