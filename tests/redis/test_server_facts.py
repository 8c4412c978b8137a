"""Which pop a server has, by what it says about itself."""

import contextlib
from collections.abc import Callable

import pytest
from awxfast.redis.login import open_connection
from awxfast.redis.server_facts import ServerFacts, ask_facts
from redis_servers import RedisServer


class TestParse:
    @pytest.mark.parametrize(
        ("line", "has_bzmpop"),
        [
            (b"redis_version:5.0.14", False),
            (b"redis_version:6.2.5", False),
            (b"redis_version:7.0.15", True),
            (b"redis_version:8.2.1", True),
            (b"redis_version:255.255.255", True),
            (b"redis_version:6.9\r\nvalkey_version:9.0.0", True),
            (b"redis_version:unstable", False),
            (b"", False),
        ],
    )
    def test_version_decides(self, line: bytes, has_bzmpop: bool) -> None:
        assert ServerFacts.parse(b"# Server\r\n" + line + b"\r\n").has_bzmpop is has_bzmpop

    @pytest.mark.parametrize(
        ("line", "has_rpop_count"),
        [
            (b"redis_version:6.0.20", False),
            (b"redis_version:6.2.0", True),
            (b"redis_version:7.0.15", True),
            (b"redis_version:6.9\r\nvalkey_version:9.0.0", True),
            (b"redis_version:10", True),
        ],
    )
    def test_version_decides_on_pops_of_several(self, line: bytes, has_rpop_count: bool) -> None:
        assert ServerFacts.parse(line + b"\r\n").has_rpop_count is has_rpop_count

    def test_uptime_in_seconds(self) -> None:
        assert ServerFacts.parse(b"uptime_in_seconds:90\r\n").uptime == 90.0
        assert ServerFacts.parse(b"uptime_in_seconds:\r\n").uptime == 0.0


class TestAsk:
    async def test_server_that_tells_nothing_counts_as_old(self, start_redis: Callable[..., RedisServer]) -> None:
        server = start_redis("--rename-command", "INFO", "")
        with contextlib.closing(await open_connection(server.address)) as connection:
            assert await ask_facts(connection) == ServerFacts(has_bzmpop=False, uptime=0.0)
