"""What these tests start and end: servers."""

from answering_site import site, start_site  # noqa: F401  fixtures
from loops import pytest_asyncio_loop_factories  # noqa: F401  a hook
from serving import serving, start  # noqa: F401  fixtures
from waiting_site import host  # noqa: F401  a fixture
