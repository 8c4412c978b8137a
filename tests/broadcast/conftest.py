"""What these tests start and end: nodes, and who dials them."""

from broadcast.running_peer import server, start  # noqa: F401  fixtures
from loops import pytest_asyncio_loop_factories  # noqa: F401  a hook
from nats_servers import start_nats  # noqa: F401  a fixture
from node_server import dialler, node, producer, start_node  # noqa: F401  fixtures
