"""Docstrings say what a thing is for to somebody who has just opened the file: one of a few words is a riddle."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sources import parse_source

ROOT = Path(__file__).resolve().parent.parent
LEAST_WORDS = 4
WORD = re.compile(r"[\w`.\-':]+")
NAMELESS = re.compile(r"(All of (it|them)|Those|One( of them)?\b(?! \w)|Of one|It|They)\b")
"""How a docstring begins that leaves its reader to guess what the class is."""
RUST_DOC = re.compile(r"\s*//[/!] ?(.*)")


def is_riddle(text: str) -> bool:
    """Whether there are too few words to say anything."""
    return len(WORD.findall(text)) < LEAST_WORDS


def list_python(source: str) -> Iterator[tuple[int, str]]:
    """Each docstring with its line, those below constants and fields included."""
    for node in ast.walk(parse_source(source)):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        for before, one in zip([node, *body], body, strict=False):
            is_text = isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)
            may_have_one = isinstance(before, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
            if is_text and isinstance(one.value.value, str) and (may_have_one or is_assignment(before)):
                yield one.lineno, one.value.value


def is_assignment(node: ast.AST) -> bool:
    """Whether a text below it is its docstring."""
    return isinstance(node, (ast.Assign, ast.AnnAssign))


def list_rust(source: str) -> Iterator[tuple[int, str]]:
    """Each documentation comment with its first line."""
    text: list[str] = []
    for number, line in enumerate([*source.splitlines(), ""], 1):
        if found := RUST_DOC.fullmatch(line):
            text.append(found[1])
        elif text:
            yield number - len(text), " ".join(text)
            text = []


@pytest.mark.parametrize("folder", ["python", "benches"])
def test_docstrings_of_python_say_something(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert tell(files, list_python) == []


@pytest.mark.parametrize("folder", ["python", "benches"])
def test_docstrings_of_classes_say_what_they_are(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert [f"{path.relative_to(ROOT)}: {text}" for path in files for text in list_nameless(path.read_text())] == []


def list_nameless(source: str) -> list[str]:
    """Docstrings of classes that begin with a word for something else."""
    classes = [node for node in ast.walk(parse_source(source)) if isinstance(node, ast.ClassDef)]
    return [text for node in classes if NAMELESS.match(text := ast.get_docstring(node) or "")]


@pytest.mark.parametrize("folder", ["rust/src", "rust/benches/src", "benches/wsload/src"])
def test_docstrings_of_rust_say_something(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.rs"))
    assert tell(files, list_rust) == []


def tell(files: list[Path], listing: Callable[[str], Iterator[tuple[int, str]]]) -> list[str]:
    """Where the riddles are."""
    assert files
    return [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in files
        for line, text in listing(path.read_text())
        if is_riddle(text)
    ]


def test_riddles_would_be_found() -> None:
    python = (
        'A = 1\n"""Of one."""\n\ndef f():\n    """All of them."""\n\nclass C:\n    """What a page is asked for."""\n'
    )
    assert [text for _, text in list_python(python) if is_riddle(text)] == ["Of one.", "All of them."]
    rust = "/// The name.\npub a: u8,\n/// What is asked\n/// for here.\nb: u8,\n"
    assert [(line, text) for line, text in list_rust(rust) if is_riddle(text)] == [(1, "The name.")]


@pytest.mark.parametrize("text", ["All of them.", "Those of one server.", "One. It is small.", "It ends late."])
def test_nameless_classes_would_be_found(text: str) -> None:
    assert list_nameless(f'class C:\n    """{text}"""\n') == [text]
    assert list_nameless('class C:\n    """One connection until it ends."""\n') == []
