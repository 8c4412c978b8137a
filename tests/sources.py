"""Reads Python source as a tree."""

import ast
import contextlib
import gc
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def without_collection() -> Iterator[None]:
    """For whoever reads source as a tree, as pytest does for its reports.

    What is collected may log a traceback, whose carets are found by parsing too, and Python 3.11 counts the depth of
    one tree into that of the other (python/cpython#106905).
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def parse_source(source: str | Path) -> ast.Module:
    """A file's tree, or a text's."""
    text = source.read_text() if isinstance(source, Path) else source
    with without_collection():
        return ast.parse(text)
