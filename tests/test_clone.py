"""A clone stands on its own: nothing beside it is needed, not even to find its tests."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import awxfast
import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
EXTENSION = Path(awxfast.__file__).with_name("_rust.abi3.so")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What is committed, in a folder that has nothing else in it, with the extension that was built here."""
    if not (CHECKOUT / ".git").exists():
        pytest.skip("this is no checkout of git")
    clone = tmp_path / "awxfast"
    subprocess.run(
        ["git", "-c", "safe.directory=*", "clone", "--quiet", "--no-hardlinks", CHECKOUT, clone], check=True, timeout=60
    )
    shutil.copy(EXTENSION, clone / "python" / "awxfast")
    return clone


class TestClone:
    def test_pytest_finds_every_test_with_no_folder_beside_it(self, clone: Path) -> None:
        environ = {**os.environ, "PYTHONPATH": str(clone / "python")}
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"],
            check=False,
            cwd=clone,
            env=environ,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert run.returncode == 0, run.stdout[-3_000:]
