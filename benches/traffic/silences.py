"""How long clients had nothing, in times of the run: from the steps that wsload tells (`--series`)."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

STEP_SECONDS = 0.02
STEP_NS = int(STEP_SECONDS * 1e9)

Span = tuple[int, int]
"""From when to when, Unix time in nanoseconds."""


def longest_ms(seen: Mapping[str, Any], span: Span) -> float:
    """The longest silence of a client that ended within the span, to a step; 0 where nothing came."""
    first, last = ((moment - seen["series_begin_ns"]) // STEP_NS for moment in span)
    steps: Sequence[int] = seen["series_silence_us"][max(0, first) : max(0, last + 1)]
    return max(steps, default=0) / 1000


def calm_spans(begin_ns: int, end_ns: int, length_ns: int) -> list[Span]:
    """A time without reloads in parts that are as long as a reload."""
    return [(begin, begin + length_ns) for begin in range(begin_ns, end_ns - length_ns + 1, length_ns)]


def silence_figures(seen: Mapping[str, Any], reloads: Sequence[Span], calm: Sequence[Span]) -> dict[str, float]:
    """The longest of each reload, and of each part of the same load without: the middle of these, and the longest."""
    with_reload, without = ([longest_ms(seen, span) for span in spans] for spans in (reloads, calm))
    figures = {
        "silence_median_ms": statistics.median(with_reload),
        "silence_max_ms": max(with_reload),
        "calm_median_ms": statistics.median(without),
        "calm_max_ms": max(without),
    }
    figures["median_over_calm_ms"] = figures["silence_median_ms"] - figures["calm_median_ms"]
    figures["max_over_calm_ms"] = figures["silence_max_ms"] - figures["calm_max_ms"]
    return figures
