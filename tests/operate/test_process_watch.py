"""The process's own figures are those that Prometheus' client library has, without a list of descriptors."""

import os
import resource
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from awxfast.operate.metrics import collect_processes
from awxfast.operate.process_watch import ProcessWatch
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.registry import Collector


class Own(Collector):
    """What is read now, as metrics."""

    def collect(self) -> Iterator[Metric]:
        return collect_processes({0: ProcessWatch().read()})


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(Own())
    ProcessCollector(namespace="library", registry=registry)
    return registry


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("virtual_memory_bytes", 1 << 30),
        ("resident_memory_bytes", 1 << 28),
        ("start_time_seconds", 5),
        ("cpu_seconds_total", 5),
        ("open_fds", 1),  # the list itself takes one
        ("max_fds", 0),
    ],
)
def test_figure_is_the_librarys(registry: CollectorRegistry, name: str, tolerance: float) -> None:
    own = registry.get_sample_value(f"awxfast_process_{name}")
    assert own
    assert own == pytest.approx(registry.get_sample_value(f"library_process_{name}"), rel=0, abs=tolerance)


def test_descriptors_are_not_listed_where_somebody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = ProcessWatch()
    waits = threading.get_ident()

    def list_nothing(path: str = ".") -> Any:
        assert threading.get_ident() != waits, path
        raise OSError

    monkeypatch.setattr(os, "listdir", list_nothing)
    monkeypatch.setattr(os, "scandir", list_nothing)
    assert watch.read().descriptors


def test_process_without_a_free_descriptor_is_watched_all_the_same() -> None:
    watch = ProcessWatch()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        figures = watch.read()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert figures.resident_memory > 0
