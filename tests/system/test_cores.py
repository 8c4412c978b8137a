"""How many cores a process may use, with trees as cgroups(7) has them."""

import os
from pathlib import Path

import pytest
from awxfast.system.cores import count_usable_cores


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))


def count(folder: Path, membership: str, **files: str) -> int:
    """`files` are below the place where the hierarchies are; `__` stands for a slash, and `_of_` for a dot."""
    (folder / "membership").write_text(membership)
    for name, text in files.items():
        path = folder / "tree" / name.replace("__", "/").replace("_of_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return count_usable_cores(folder / "membership", folder / "tree")


@pytest.mark.parametrize(
    ("text", "cores"),
    [("200000 100000\n", 2), ("150000 100000\n", 2), ("10000 100000\n", 1), ("max 100000\n", 8), ("1600000 100000", 8)],
)
def test_container_has_the_cores_of_its_quota(tmp_path: Path, text: str, cores: int) -> None:
    assert count(tmp_path, "0::/\n", cpu_of_max=text) == cores


def test_quota_of_a_group_above_counts(tmp_path: Path) -> None:
    files = {"pod__cpu_of_max": "300000 100000", "pod__one__cpu_of_max": "max 100000"}
    assert count(tmp_path, "0::/pod/one\n", **files) == 3


def test_version_1_has_two_files(tmp_path: Path) -> None:
    files = {"cpu,cpuacct__cpu_of_cfs_quota_us": "400000\n", "cpu,cpuacct__cpu_of_cfs_period_us": "100000\n"}
    assert count(tmp_path, "4:memory:/x\n3:cpu,cpuacct:/docker/not-seen-here\n0::/\n", **files) == 4


def test_version_1_without_a_quota(tmp_path: Path) -> None:
    files = {"cpu__cpu_of_cfs_quota_us": "-1\n", "cpu__cpu_of_cfs_period_us": "100000\n"}
    assert count(tmp_path, "1:cpu:/\n", **files) == 8


@pytest.mark.parametrize("text", ["", "nothing", "1 0", "-5 100000"])
def test_what_can_not_be_read_is_no_limit(tmp_path: Path, text: str) -> None:
    assert count(tmp_path, "0::/\n", cpu_of_max=text) == 8


@pytest.mark.parametrize("membership", ["", "0::/../..\n", "2:freezer:/\n"])
def test_strange_memberships_are_no_limit(tmp_path: Path, membership: str) -> None:
    assert count(tmp_path, membership) == 8


def test_without_control_groups_the_affinity_counts(tmp_path: Path) -> None:
    assert count_usable_cores(tmp_path / "none", tmp_path) == 8
