"""What all tests share: the switch for long tests, and what to do when a Debian program is absent."""

import os
import shutil

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-long", action="store_true", help="also run tests that take minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--run-long"):
        skip = pytest.mark.skip(reason="takes minutes: make test-long")
        for item in items:
            if "long" in item.keywords:
                item.add_marker(skip)


def require_program(name: str) -> str:
    """The path of a Debian program; its absence skips the test, and fails it in CI."""
    path = shutil.which(name)
    if path is None:
        message = f"{name} is not installed: apt-get install {name}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return path
