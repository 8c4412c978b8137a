"""The process's own figures are those that Prometheus' client library has, without a list of descriptors."""

import os
import threading
from typing import Any

import pytest
from awxfast.operate.process_collector import ProcessCollector
from prometheus_client import CollectorRegistry
from prometheus_client import ProcessCollector as LibrarysCollector


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(ProcessCollector())
    LibrarysCollector(namespace="library", registry=registry)
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
    collector = ProcessCollector()
    waits = threading.get_ident()

    def list_nothing(path: str = ".") -> Any:
        assert threading.get_ident() != waits, path
        raise OSError

    monkeypatch.setattr(os, "listdir", list_nothing)
    monkeypatch.setattr(os, "scandir", list_nothing)
    assert list(collector.collect())
