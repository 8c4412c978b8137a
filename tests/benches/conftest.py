"""The benchmark's modules import each other by name; they come last, since `servers` is also a name of the tests."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "benches"))
