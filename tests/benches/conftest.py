"""The benchmark's modules import each other by the names of their folders."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "benches"))
