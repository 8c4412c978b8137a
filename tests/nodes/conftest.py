"""What these tests start and end: nodes, and who dials them."""

from django_settings import django_settings  # noqa: F401  a fixture
from loops import pytest_asyncio_loop_factories  # noqa: F401  a hook
from node_server import dialler, node, producer, start_node  # noqa: F401  fixtures
