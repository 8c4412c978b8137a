"""Reloads as an operator asks for them, of servers whose new processes may have a fault."""

import asyncio
import subprocess
import sys
from pathlib import Path

from servers import HANG, AwxfastServer

SITECUSTOMIZE = """
import os, sys
role = (
    "serving" if {"awxfast.process", "awxfast.broadcast.start_child"} & {*sys.orig_argv}
    else "trial" if "AWXFAST_TRIAL_START" in os.environ
    else "next" if "AWXFAST_LEFT_BY_MAIN" in os.environ
    else "main"
)
fault = os.path.join(os.path.dirname(__file__), role)
if os.path.exists(fault):
    exec(open(fault).read())
"""


class Faults:
    """What processes run before anything else, from now on: serving ones unless it is said.

    The others are `main` as it was started, its `trial` start, and the `next` program in its place.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "sitecustomize.py").write_text(SITECUSTOMIZE)

    def set(self, code: str, role: str = "serving") -> None:
        (self._folder / role).write_text(code)

    def clear(self, role: str = "serving") -> None:
        (self._folder / role).unlink(missing_ok=True)


async def reload(relay: AwxfastServer, *where: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(reload_and_wait, *(where or ("--admin", str(relay.admin))))


def reload_and_wait(*where: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "awxfast", "reload", *where]
    return subprocess.run(words, check=False, capture_output=True, text=True, timeout=4 * HANG)


def count_descriptors(process: int) -> int:
    return len(list(Path(f"/proc/{process}/fd").iterdir()))


def describe_descriptors(process: int) -> str:
    folder = Path(f"/proc/{process}/fd")
    return " ".join(str(one.readlink()) for one in folder.iterdir())
