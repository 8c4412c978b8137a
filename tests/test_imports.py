"""Imports go one way: down the floors of CONTRIBUTING.md, for Python and for Rust. A room never imports its sibling."""

import ast
import re
from pathlib import Path

import pytest
from sources import parse_source

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "python" / "awxfast"
CORE = ROOT / "rust" / "src"

# From the ground up. Rooms on one line are siblings, which never import each other.
ROOMS = [
    {
        "__init__",
        "errors",
        "_rust",
        "django_settings",
        "pauses",
        "printable",
        "quiet_log",
        "late_timeouts",
        "system",
        "turns",
    },
    {"settings", "exit_codes", "figures", "option_parser"},
    {"daphne_options", "environment_variables"},
    {"options", "wire"},
    {"redis"},
    {"http", "intake"},
    {"sockets"},
    {"engine"},
    {"native", "hosted", "nodes"},
    {"operate"},
    {"app", "demo"},
    {"process"},
    {"broadcast", "producer"},
    {"cli", "deploy", "django", "testing", "layer"},
    {"__main__", "apps"},
]

CRATE = [
    {"error"},
    {"wire"},
    {"hmac", "ledger"},
    {"nonce"},
    {"front", "routing"},
    {"links", "shard"},
    {"handover"},
    {"fanout"},
    {"py"},
    {"lib"},
]


def rank(floors: list[set[str]], name: str) -> int:
    for height, floor in enumerate(floors):
        if name in floor:
            return height
    raise AssertionError(f"{name} stands on no floor: give it one in tests/test_imports.py")


def room_of(path: Path) -> str:
    """A room's `__main__` is a front door, wherever it stands."""
    if path.name == "__main__.py":
        return "__main__"
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(parse_source(path)):
        if isinstance(node, ast.ImportFrom) and node.level:
            pytest.fail(f"{path}: relative import; the arrows are easier to see with whole names")
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "awxfast":
            parts = (node.module or "").split(".")
            rooms |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        if isinstance(node, ast.Import):
            rooms |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("awxfast.")}
    return {"__init__" if room == "__version__" else room for room in rooms}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_imports_only_rooms_below_its_own(path: Path) -> None:
    own = room_of(path)
    for other in imported_rooms(path):
        if other != own:
            assert rank(ROOMS, other) < rank(ROOMS, own), f"{own} may not import {other}"


def module_of(path: Path) -> str:
    return path.relative_to(CORE).parts[0].removesuffix(".rs")


@pytest.mark.parametrize("path", sorted(CORE.rglob("*.rs")), ids=lambda path: str(path.relative_to(CORE)))
def test_rust_module_uses_only_modules_below_its_own(path: Path) -> None:
    own = module_of(path)
    for other in set(re.findall(r"\bcrate::(\w+)", path.read_text())) - {own}:
        assert rank(CRATE, other) < rank(CRATE, own), f"{own} may not use {other}"


@pytest.mark.parametrize("path", sorted(CORE.rglob("*.rs")), ids=lambda path: str(path.relative_to(CORE)))
def test_only_the_skin_knows_python(path: Path) -> None:
    if module_of(path) not in {"py", "lib"}:
        assert "pyo3" not in path.read_text()


@pytest.mark.parametrize("path", sorted((PACKAGE / "wire").glob("*.py")), ids=lambda path: path.name)
def test_wire_touches_no_socket_clock_or_redis(path: Path) -> None:
    forbidden = {"asyncio", "socket", "time", "redis", "hiredis", "logging", "datetime"}
    names = {
        (alias.name if isinstance(node, ast.Import) else node.module or "").split(".")[0]
        for node in ast.walk(parse_source(path))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert not names & forbidden
