"""`tools/prepare.sh`, which `make demo` and `make build` begin with: what it asks of the machine, and what it says."""

import os
import subprocess
from pathlib import Path

import pytest

PREPARE = Path(__file__).resolve().parents[1] / "tools" / "prepare.sh"


LONG_STEP = "before=$(wc -l < ticks); while [ $(wc -l < ticks) -lt $((before + 6)) ]; do /bin/sleep 0.02; done"
"""Lasts for six of the ticker's seconds, which are short ones here."""


def write_program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def prepare(
    folder: Path,
    rust: str,
    maturin: str = "exit 0",
    extras: str = "demo",
    python: str = "exit 0",
    date: str = "wc -l < ticks",
) -> subprocess.CompletedProcess[str]:
    """With programs that only say that they are there."""
    write_program(folder / "bin" / "rustc", f"echo 'rustc {rust} (0123456789 2026-01-01)'")
    write_program(folder / "bin" / "cargo", "exit 0")
    (folder / "ticks").touch()
    write_program(folder / "bin" / "sleep", "echo >> ticks; exec /bin/sleep 0.02")
    write_program(folder / "bin" / "date", date)
    for name, script in (("python", python), ("maturin", maturin)):
        write_program(folder / "venv" / "bin" / name, script)
    return subprocess.run(
        ["sh", PREPARE, "venv", "python3", extras],
        cwd=folder,
        env={**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )


class TestRust:
    @pytest.mark.parametrize("version", ["1.88.0", "1.100.0", "1.95.0-nightly", "2.0.0"])
    def test_version_that_is_new_enough_goes_on(self, tmp_path: Path, version: str) -> None:
        assert (done := prepare(tmp_path, version)).returncode == 0, done.stderr

    @pytest.mark.parametrize("version", ["1.87.0", "1.9.0", "1.63.0"])
    def test_version_that_is_too_old_is_named_with_what_mends_it(self, tmp_path: Path, version: str) -> None:
        done = prepare(tmp_path, version)
        assert done.returncode == 1
        assert done.stderr == (
            f"awxfast needs Rust 1.88 or later, this is {version}: rustup update (https://rustup.rs)\n"
        )


class TestWords:
    def test_tools_are_quiet_while_all_goes_well(self, tmp_path: Path) -> None:
        done = prepare(tmp_path, "1.88.0", "echo chatter")
        assert (done.returncode, done.stderr) == (0, "")
        assert [line.split()[0] for line in done.stdout.splitlines()] == ["Fetching", "Installing"]

    def test_long_step_has_a_line_now_and_then(self, tmp_path: Path) -> None:
        assert "  4 s\n" in prepare(tmp_path, "1.88.0", LONG_STEP).stdout

    def test_seconds_are_the_clocks(self, tmp_path: Path) -> None:
        """On a busy machine a second's sleep lasts longer."""
        done = prepare(tmp_path, "1.88.0", LONG_STEP, date="cat ticks ticks ticks | wc -l")
        assert "  6 s\n" in done.stdout

    @pytest.mark.parametrize(
        ("said", "shown"),
        [
            ("   Compiling serde v1.0.0", "Compiling serde"),
            ("   Compiling hybrid-array v0.4.1", "Compiling hybrid-array"),
            ("Downloading orjson-3.11-cp311.whl (138 kB)", "Downloading orjson-3.11-cp311.whl"),
            ("Installing collected packages: a, b", "Installing collected packages"),
        ],
    )
    def test_what_it_is_at_is_named_whole(self, tmp_path: Path, said: str, shown: str) -> None:
        done = prepare(tmp_path, "1.88.0", f"echo '{said}'; {LONG_STEP}")
        assert f"  4 s, {shown}\n" in done.stdout

    def test_what_a_tool_said_is_shown_when_it_fails(self, tmp_path: Path) -> None:
        done = prepare(tmp_path, "1.88.0", "echo 'error: no such crate'; exit 1")
        assert done.returncode == 1
        first, last = done.stderr.splitlines()
        assert first == "error: no such crate"
        assert last.startswith("this failed: Installing what [demo] needs")


class TestWheel:
    def test_it_is_built_without_what_the_tests_need_and_named(self, tmp_path: Path) -> None:
        (tmp_path / "dist").mkdir()
        (tmp_path / "dist" / "awxfast-1-abi3.whl").touch()
        done = prepare(tmp_path, "1.88.0", "touch maturin.ran", extras="wheel", python='echo "$*" >> python.ran')
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[-1] == "dist/awxfast-1-abi3.whl"
        assert "tools/make_wheel.py" in (tmp_path / "python.ran").read_text().splitlines()
        assert not (tmp_path / "maturin.ran").exists()
