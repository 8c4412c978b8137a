"""Debian programs that some tests use."""

import os
import shutil

import pytest


def require_program(name: str, package: str | None = None) -> str:
    """The path of a Debian program; its absence skips the test, and fails it in CI."""
    path = shutil.which(name)
    if path is None:
        message = f"{name} is not installed: apt-get install {package or name}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return path
