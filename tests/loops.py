"""The loop that serves is uvloop, so what belongs to it is tested on that."""

from collections.abc import Callable
from typing import Any

import pytest
import uvloop


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, Callable[[], Any]]:
    """A hook: a folder's conftest imports it."""
    return {"uvloop": uvloop.new_event_loop}
