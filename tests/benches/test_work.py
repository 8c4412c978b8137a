"""Whose CPU time it was: awxfast's threads, each in its own code and in the kernel."""

import os
import time
from pathlib import Path

import pytest
from machine import accounting
from machine.accounting import Work, work_of
from papers.work import work_table

SHARES = {"python_percent": 10.0, "python_kernel_percent": 5.0, "fanout_percent": 15.0, "fanout_kernel_percent": 70.0}


class TestWork:
    def test_shares_are_of_what_was_spent_since(self) -> None:
        before, after = Work(1.0, 1.0, 1.0, 1.0), Work(2.0, 1.5, 1.5, 3.0)
        assert after.percent_since(before) == {
            "python_percent": 25.0,
            "python_kernel_percent": 12.5,
            "fanout_percent": 12.5,
            "fanout_kernel_percent": 50.0,
        }

    def test_nothing_spent_has_no_shares(self) -> None:
        assert Work(1.0).percent_since(Work(1.0)) == {}

    def test_process_that_computes_has_spent_it_in_python(self) -> None:
        before, end = work_of(os.getpid()), time.process_time() + 0.1
        while time.process_time() < end:
            pass
        assert work_of(os.getpid()).python > before.python

    def test_threads_of_the_fanout_are_known_by_their_name(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ticks = os.sysconf("SC_CLK_TCK")
        for thread, name in ((7, "python (main)"), (8, "fanout-0"), (9, "fanout-1")):
            task = tmp_path / "7" / "task" / str(thread)
            task.mkdir(parents=True)
            fields = " ".join(["S", *["0"] * 10, str(2 * ticks), str(ticks), "0"])
            (task / "stat").write_text(f"{thread} ({name}) {fields}\n")
        monkeypatch.setattr(accounting, "PROC", tmp_path)
        monkeypatch.setattr(accounting, "process_tree", lambda pid: [pid, 10])
        assert work_of(7) == Work(python=2.0, python_kernel=1.0, fanout=4.0, fanout_kernel=2.0)

    def test_thread_that_has_just_ended_counts_no_more(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "7" / "task" / "8").mkdir(parents=True)
        monkeypatch.setattr(accounting, "PROC", tmp_path)
        monkeypatch.setattr(accounting, "process_tree", lambda pid: [pid])
        assert work_of(7) == Work()


class TestTable:
    def test_line_has_cost_and_shares(self) -> None:
        found = work_table(
            {"rate-10": {"awxfast": [{"cpu_s_per_m": 9.0, **SHARES}], "daphne": [{"cpu_s_per_m": 300.0}]}}
        )
        assert "| rate-10 | awxfast | 9 | 10 | 5 | 15 | 70 |" in found
        assert "daphne" not in found

    def test_storm_has_its_cost_by_the_client(self) -> None:
        assert "| 300 |" in work_table({"storm": {"awxfast": [{"cpu_us_a_client": 300.0, **SHARES}]}})

    def test_workload_without_shares_is_left_out(self) -> None:
        assert "idle" not in work_table({"idle-1000": {"awxfast": [{"cpu_us_a_client": 300.0}]}})
