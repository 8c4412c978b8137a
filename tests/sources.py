"""Reads Python source as a tree."""

import ast
import gc
from pathlib import Path


def parse_source(source: str | Path) -> ast.Module:
    """A file's tree, or a text's.

    Without garbage collection: what is collected may log a traceback, whose carets are found by parsing too, and
    Python 3.11 counts the depth of one tree into that of the other (python/cpython#106905).
    """
    text = source.read_text() if isinstance(source, Path) else source
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(text)
    finally:
        if was_enabled:
            gc.enable()
