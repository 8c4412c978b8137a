"""What ends a check before there is anything to compare."""


class BenchmarkFailed(Exception):
    """A benchmark could not be built or run; the message has its own words."""
