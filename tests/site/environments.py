"""The packages that the site runs on: those of the tests, and those of AWX's nodes."""

import fcntl
import hashlib
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

import pytest

NEWEST = "Channels 4.3"
AWX_24 = "Channels 3.0.5"
AWX_DEVEL = "Channels 4.3.1"
AWX_14 = "Channels 2.4"
"""For producers alone: no site here runs on it."""
ENVIRONMENTS = (NEWEST, AWX_24, pytest.param(AWX_DEVEL, marks=pytest.mark.long))
"""AWX's devel is so near to the tests' own that it has its turn with the long ones."""

PINS_24 = [
    "aioredis==1.3.1",
    "asgiref==3.7.2",
    "async-timeout==4.0.3",
    "channels==3.0.5",
    "channels-redis==3.4.1",
    "daphne==3.0.2",
    "django==4.2.10",
    "hiredis==2.0.0",
    "redis==5.0.1",
]
"""What AWX 24.6.1 pins of these, and what aioredis needs; Channels 3 does not start without a daphne of its own age."""

PINS_DEVEL = [
    "asgiref==3.11.0",
    "channels==4.3.1",
    "channels-redis==4.3.0",
    "daphne==4.2.1",
    "django==5.2.8",
    "hiredis==3.2.1",
    "msgpack==1.1.1",
    "redis==7.0.1",
]
"""The same of AWX's devel, in December 2025 (requirements/requirements.txt at 00449486)."""

PINS_14 = [
    "aioredis==1.3.1",
    "async-timeout==3.0.1",
    "channels==2.4.0",
    "channels-redis==2.4.2",
]
"""What AWX 14.1 pins of what its producers send with; the rest is the tests', which makes the same bytes."""

PACKAGES = {AWX_24: PINS_24, AWX_DEVEL: PINS_DEVEL, AWX_14: PINS_14}


def find_python(environment: str) -> Path:
    """The interpreter that has the environment's packages, awxfast among them."""
    if environment == NEWEST:
        return Path(sys.executable)
    packages = PACKAGES[environment]
    folder = Path(sys.prefix) / f"awx-{hashlib.sha256(' '.join(packages).encode()).hexdigest()[:8]}"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests that run side by side want it at the same time
        if not folder.exists():
            build(folder, packages)
    return folder / "bin" / "python"


def build(folder: Path, packages: Sequence[str]) -> None:
    """Packages that hide the tests' own; all others are the tests'. The folder is there whole, or not at all."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="new-") as parent:
        made = Path(parent) / "made"
        venv.create(made, symlinks=True)
        python = made / "bin" / "python"
        pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps"]
        subprocess.run([*pip, *packages], check=True, timeout=100)
        (site_packages,) = made.glob("lib/python*/site-packages")
        tests_own = sysconfig.get_path("purelib")
        (site_packages / "tests.pth").write_text(f"import site; site.addsitedir({tests_own!r})\n")
        made.rename(folder)
