"""CONTRIBUTING's map of the house says what the folders say of themselves, and leaves none out."""

import ast
import re
from pathlib import Path

import pytest
from sources import parse_source

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "python" / "awxfast"
CRATE = ROOT / "rust" / "src"
MAP = (ROOT / "CONTRIBUTING.md").read_text()

ROW = re.compile(r"^\| (`[^|]*) \| ([^|]*) \|", re.MULTILINE)
NAME = re.compile(r"`([\w/]+)`")


def read_rooms(table: str) -> dict[str, str]:
    """What a table says of each folder (its name ends with a slash) and module."""
    return {name: text for names, text in ROW.findall(table) for name in NAME.findall(names)}


ROOMS, CRATE_ROOMS = map(read_rooms, MAP.partition("### The words")[0].split("| module in `rust/src/`"))

FOLDERS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
CRATE_FOLDERS = sorted(path.parent.name for path in CRATE.glob("*/mod.rs"))
FRONT_DOOR = {"__init__", "__main__"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_folder_of_the_package_says_of_itself_what_the_map_says(folder: str) -> None:
    docstring = ast.get_docstring(parse_source(PACKAGE / folder / "__init__.py")) or ""
    assert docstring.startswith(ROOMS[f"{folder}/"])


@pytest.mark.parametrize("folder", CRATE_FOLDERS)
def test_folder_of_the_crate_says_of_itself_what_the_map_says(folder: str) -> None:
    first_line = (CRATE / folder / "mod.rs").read_text().splitlines()[0]
    assert first_line.startswith(f"//! {CRATE_ROOMS[f'{folder}/']}")


def test_no_module_is_left_out() -> None:
    assert sorted({path.stem for path in PACKAGE.glob("*.py")} - FRONT_DOOR - set(ROOMS)) == []
    assert sorted({path.stem for path in CRATE.glob("*.rs")} - {"lib"} - set(CRATE_ROOMS)) == []


def test_nothing_is_on_the_map_that_is_not_there() -> None:
    there = {path.stem for path in PACKAGE.glob("*.py")} | {f"{folder}/" for folder in FOLDERS}
    assert sorted(set(ROOMS) - there) == []
    there = {path.stem for path in CRATE.glob("*.rs")} | {f"{folder}/" for folder in CRATE_FOLDERS}
    assert sorted(set(CRATE_ROOMS) - there) == []


def test_words_are_explained_by_modules_that_are_there() -> None:
    words = MAP.partition("### The words")[2].partition("\n## ")[0]
    named = set(re.findall(r"`(\w+(?:/\w+)+|turns)`", words))
    assert len(named) > 20
    missing = [
        name
        for name in named
        if not (
            (PACKAGE / f"{name}.py").exists() or (CRATE / f"{name}.rs").exists() or (CRATE / name / "mod.rs").exists()
        )
    ]
    assert sorted(missing) == []
