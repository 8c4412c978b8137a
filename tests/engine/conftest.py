"""Fixtures of the room's tests."""

from redis_servers import start_redis  # noqa: F401  a fixture
