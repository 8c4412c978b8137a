"""What comments, docstrings and pages cite is there for whoever reads them: in this repository, or in public."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = (
    "python",
    "rust/src",
    "rust/tests",
    "rust/benches",
    "rust/fuzz",
    "tests",
    "benches",
    "docs",
    "deploy",
    "tools",
)
KINDS = {".py", ".pyi", ".rs", ".md", ".toml", ".conf", ".service", ".html", ".sh", ".dict"}
GENERATED = {"target", ".venv", "__pycache__", "node_modules", "corpus"}

RIDDLES = {
    "a number that no list here has": r"(?<![\w#\\])C[0-9]{2}\b|\btest_c[0-9]{2}_|\b[Pp]romise [0-9]|\b[Cc]ase [0-9]",
    "a paper that is not here": r"\bDESIGN\b|\bSTYLE\b|\bawx-wire\b|\bfield cases\b",
    "an agreement that is not here": r"\bof the contract\b|\bthe interface says\b",
}
OTHERS_PAGES = {"NOTICE.md"}
"""Licence files of what is linked in."""
PAGE = r"(?<![\w/.-])[\w./-]*\w\.md\b"
OWN_PATH = (
    r"(?<![\w/.-])(?:docs|tests|benches|rust|deploy|tools|python/awxfast)/[\w./-]*\w\.(?:py|rs|toml|conf|json|svg)\b"
)
ROOMS = "app|broadcast|hosted|intake|native|nodes|operate|process|producer|sockets|system"
"""Folders of the package whose names are nobody else's: `http.response`, say, is a message of ASGI."""
OWN_MODULE = rf"`(?!native\.sed`)(?:(?:{ROOMS})[./]|http/)[a-z_0-9]+(?=[`.])"
SECTION = r"\b[Ss]ection [0-9]"


def list_files() -> Iterator[Path]:
    """All texts that somebody may read but this one, which names what it looks for."""
    papers = [*ROOT.glob("*.md"), *ROOT.glob("*.toml"), ROOT / "Makefile"]
    yield from papers
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in KINDS and not GENERATED & set(path.parts) and path != Path(__file__).resolve():
                yield path


FILES = list(list_files())


def find(pattern: str, files: Sequence[Path] = FILES) -> Iterator[tuple[Path, int, str]]:
    """What fits, with its file and the number of its line."""
    compiled = re.compile(pattern)
    for path in files:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            yield from ((path, number, found[0]) for found in compiled.finditer(line))


def tell(findings: Iterable[tuple[Path, int, str]]) -> list[str]:
    """Where they are."""
    return [f"{path.relative_to(ROOT)}:{number}: {text}" for path, number, text in findings]


class TestReferences:
    @pytest.mark.parametrize("what", RIDDLES)
    def test_nothing_is_cited_that_readers_do_not_have(self, what: str) -> None:
        assert tell(find(RIDDLES[what])) == [], what

    def test_pages_exist(self) -> None:
        missing = [
            one
            for one in find(PAGE)
            if one[2] not in OTHERS_PAGES
            and not any((place / one[2]).exists() for place in (ROOT, ROOT / "docs", one[0].parent))
        ]
        assert tell(missing) == []

    def test_files_exist(self) -> None:
        assert tell(one for one in find(OWN_PATH) if not (ROOT / one[2]).exists()) == []

    def test_modules_exist(self) -> None:
        """Under their present name, written as a path or as it is imported."""
        package = ROOT / "python" / "awxfast"
        missing = [one for one in find(OWN_MODULE) if not (package / f"{one[2][1:].replace('.', '/')}.py").exists()]
        assert tell(missing) == []

    def test_a_section_is_one_of_an_rfc(self) -> None:
        homeless = []
        for path, number, text in find(SECTION):
            lines = path.read_text().splitlines()
            around = " ".join(lines[max(0, number - 3) : number])
            if "RFC" not in around and not any("Sections are RFC" in line for line in lines):
                homeless.append((path, number, text))
        assert tell(homeless) == []

    def test_a_riddle_would_be_found(self, tmp_path: Path) -> None:
        page = tmp_path / "page.md"
        page.write_text("as DESIGN says\n\nthe limit of section 9, see lost.md and C47\n")
        found = [text for what in RIDDLES.values() for _, _, text in find(what, [page])]
        assert found == ["C47", "DESIGN"]
        assert [text for _, _, text in find(PAGE, [page])] == ["lost.md"]
        assert [number for _, number, _ in find(SECTION, [page])] == [3]
