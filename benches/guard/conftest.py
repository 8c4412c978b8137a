"""What all benchmarks share."""

import pytest

from guard.comparison import Benchmark, Compare


@pytest.fixture
def compare(benchmark: Benchmark) -> Compare:
    """Times a piece of work beside a yardstick."""
    return Compare(benchmark)
