"""What a process says of itself in Redis: that it lives, and who goes on under its names."""

import pytest
from awxfast.intake import presence
from awxfast.intake import registration as registration_module
from intake.running_registration import running
from redis_servers import RedisServer
from remembering_fanout import RememberingFanout, eventually


class TestSuccessor:
    """Who is about to go on under the process's names stands beside it in Redis, as long as that is so."""

    def count(self, server: RedisServer, command: str) -> int:
        with server.client() as client:
            return int(client.info("commandstats").get(f"cmdstat_{command}", {}).get("calls", 0))

    async def test_is_taken_out_once_and_not_again_with_each_announcement(
        self, redis_server: RedisServer, fanout: RememberingFanout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(presence, "ANNOUNCE_INTERVAL", 0.0)
        monkeypatch.setattr(registration_module, "CHECK_INTERVAL", 0.01)
        async with running(redis_server.address, fanout) as process:
            await eventually(lambda: self.count(redis_server, "hset") > 5)
            assert self.count(redis_server, "hdel") == 1, "of a process before this one"
            await process.registration.name_successor(1)
            with redis_server.client() as client:
                assert client.hget(process.names.process_key, "successor_pid") == b"1"
            await process.registration.name_successor(None)
            with redis_server.client() as client:
                assert client.hget(process.names.process_key, "successor_pid") is None
            so_far = self.count(redis_server, "hset")
            await eventually(lambda: self.count(redis_server, "hset") > so_far + 5)
            assert self.count(redis_server, "hdel") == 2
