"""What goes wrong with the serving processes that main starts from now on, the new one of a reload first of all."""

from pathlib import Path

SITECUSTOMIZE = """
import os, sys
if "awxfast.process" in sys.orig_argv and os.path.exists({fault!r}):
    exec(open({fault!r}).read())
"""


class Faults:
    """What they run before anything else. `folder` is to be on their `PYTHONPATH`."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "fault"
        (folder / "sitecustomize.py").write_text(SITECUSTOMIZE.format(fault=str(self._file)))

    def set(self, code: str) -> None:
        self._file.write_text(code)

    def clear(self) -> None:
        self._file.unlink(missing_ok=True)
