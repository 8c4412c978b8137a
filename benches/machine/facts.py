"""Where and with what a benchmark ran."""

import os
import platform
import shutil
import subprocess
import time
from importlib import metadata
from pathlib import Path

PACKAGES = (
    "awxfast",
    "daphne",
    "uvicorn",
    "granian",
    "hypercorn",
    "channels",
    "channels-redis",
    "django",
    "redis",
    "hiredis",
    "uvloop",
)
ROOT = Path(__file__).resolve().parents[2]


def machine() -> dict[str, str]:
    """Names and versions, for the head of the tables."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    processor = models[0] if models else platform.machine()
    redis = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True).stdout.split()
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "machine": f"{os.cpu_count()} x {processor}, Linux {platform.release()}",
        "tcp": Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip(),
        "python": platform.python_version(),
        "redis-server": next(word.removeprefix("v=") for word in redis if word.startswith("v=")),
        **nginx_version(),
        **{package: package_version(package) for package in PACKAGES},
    }


def nginx_version() -> dict[str, str]:
    if shutil.which("nginx") is None:
        return {}
    printed = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True).stderr
    return {"nginx": printed.strip().rpartition("/")[2]}


def package_version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "from the source tree" if package == "awxfast" else "not installed"


def build_wsload() -> Path:
    """Builds the load client in release mode, if cargo finds it changed."""
    subprocess.run(["cargo", "build", "--quiet", "--release", "-p", "wsload"], cwd=ROOT, check=True)
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "wsload"
