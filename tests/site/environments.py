"""The packages that the site runs on: those of the tests, and those of an AWX 24 node."""

import fcntl
import hashlib
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

NEWEST = "Channels 4.3"
AWX_24 = "Channels 3.0.5"
ENVIRONMENTS = (NEWEST, AWX_24)

PACKAGES = [
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


def find_python(environment: str) -> Path:
    """The interpreter that has the environment's packages, awxfast among them."""
    if environment == NEWEST:
        return Path(sys.executable)
    folder = Path(sys.prefix) / f"awx24-{hashlib.sha256(' '.join(PACKAGES).encode()).hexdigest()[:8]}"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests that run side by side want it at the same time
        if not folder.exists():
            build(folder)
    return folder / "bin" / "python"


def build(folder: Path) -> None:
    """Packages that hide the tests' own; all others are the tests'. The folder is there whole, or not at all."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="new-") as parent:
        made = Path(parent) / "made"
        venv.create(made, symlinks=True)
        python = made / "bin" / "python"
        pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps"]
        subprocess.run([*pip, *PACKAGES], check=True, timeout=100)
        (site_packages,) = made.glob("lib/python*/site-packages")
        tests_own = sysconfig.get_path("purelib")
        (site_packages / "tests.pth").write_text(f"import site; site.addsitedir({tests_own!r})\n")
        made.rename(folder)
