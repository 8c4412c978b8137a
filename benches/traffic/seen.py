"""What the account of whoever took the frames says about time; wsload's, or that of one of our own far ends."""

from collections.abc import Mapping


def seconds_of(seen: Mapping[str, float]) -> float:
    """From the first frame to the last."""
    return (seen["last_frame_ns"] - seen["first_frame_ns"]) / 1e9


def latencies(seen: Mapping[str, float]) -> dict[str, float]:
    """In milliseconds; none where no frame told when it was due."""
    return {f"{name}_ms": seen[f"{name}_us"] / 1000 for name in ("p50", "p99", "max") if seen.get("timed")}
