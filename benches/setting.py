"""Where the parts of a run live."""

from dataclasses import dataclass
from pathlib import Path

Figures = dict[str, float]
"""One run's, by name; tables.py has their titles."""


@dataclass(frozen=True)
class Bench:
    """The load client's program, a folder for sockets and logs, and the cores of server and load."""

    wsload: Path
    folder: Path
    server_core: int
    load_core: int
