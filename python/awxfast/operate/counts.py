"""Counts as JSON has them, added and taken from each other: numbers, and mappings and lists of such."""

from collections.abc import Mapping
from typing import Any

Counts = dict[str, Any]
"""By name; what has never been counted need not be there."""


def add_counts(first: Any, second: Any) -> Any:
    """The sum of two: what only one of them knows is the whole."""
    if isinstance(first, Mapping):
        sums = {**first}
        for name, value in second.items():
            sums[name] = add_counts(sums[name], value) if name in sums else value
        return sums
    if isinstance(first, list):
        if len(first) < len(second):
            first, second = second, first
        return [*map(add_counts, first, second), *first[len(second) :]]
    return first + second


def subtract_counts(now: Any, before: Any) -> Any:
    """What came since; what has not changed is left out of mappings."""
    if isinstance(now, Mapping):
        changes = {
            name: subtract_counts(value, before[name]) if name in before else value for name, value in now.items()
        }
        return {name: change for name, change in changes.items() if change}
    if isinstance(now, list):
        return [subtract_counts(*pair) for pair in zip(now, before, strict=True)]
    return now - before
