"""A Redis that answers what a command can't have costs its connection, and nothing else."""

import asyncio
from pathlib import Path

import pytest
from awxfast.errors import RedisUnavailable
from awxfast.intake import presence
from awxfast.intake import registration as registration_module
from awxfast.intake.intake import Intake
from awxfast.redis.login import open_connection
from awxfast.settings import Settings
from intake.fake_redis import FakeRedis
from remembering_fanout import RememberingFanout, eventually

ASKED_FIRST = ("INFO", "SCAN", "EVAL", "BZMPOP", "MEMORY", "CLIENT", "HDEL")
"""When a connection is made."""
ODD = {
    "OK": b"+OK\r\n",
    "nil": b"$-1\r\n",
    "nil list": b"*-1\r\n",
    "number": b":7\r\n",
    "empty list": b"*0\r\n",
    "list in a list": b"*2\r\n*1\r\n:1\r\n*1\r\n$-1\r\n",
    "list of nils": b"*2\r\n$-1\r\n$-1\r\n",
    "pop of numbers": b"*2\r\n$1\r\nk\r\n*1\r\n*2\r\n:1\r\n:2\r\n",
    "pop with a score that is none": b"*2\r\n$1\r\nk\r\n*1\r\n*2\r\n$1\r\nm\r\n$1\r\nx\r\n",
    "deep list": b"*1\r\n" * 60 + b":1\r\n",
    "map": b"%1\r\n+a\r\n+b\r\n",
    "push": b">2\r\n+message\r\n+x\r\n",
    "set": b"~1\r\n:1\r\n",
    "null": b"_\r\n",
    "boolean": b"#t\r\n",
    "double": b",1.5\r\n",
    "big number": b"(3492890328409238509324850943850943825024385\r\n",
    "verbatim": b"=5\r\ntxt:x\r\n",
    "huge list": b"*4294967295\r\n:1\r\n",
    "huge string": b"$99999999999999999999\r\n",
    "no type at all": b"\xff\x00\r\n",
    "error that is not text": b"-\xff\xfe\x1b[31m\r\n",
}

COMMANDS = [
    "INFO",
    "TYPE",
    "SET",
    "HSET",
    "HDEL",
    "CLIENT",
    "EXPIRE",
    "ZADD",
    "ZCARD",
    "ZSCORE",
    "SADD",
    "EVAL",
    "BZMPOP",
    "MEMORY",
    "SCAN",
    "ZREM",
]


@pytest.mark.parametrize("command", COMMANDS)
async def test_connection_is_made_anew_and_the_intake_goes_on(
    command: str, tmp_path: Path, fanout: RememberingFanout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registration_module, "CHECK_INTERVAL", 0.02)
    monkeypatch.setattr(presence, "ANNOUNCE_INTERVAL", 0.02)
    monkeypatch.setattr("awxfast.redis.reconnect.LONGEST_PAUSE", 0.05)
    monkeypatch.setattr(fanout, "publish_batch", read_scores)
    async with FakeRedis(str(tmp_path / "s")).running() as redis:
        intake = Intake(Settings(), redis.address, fanout)
        await intake.start()
        for number, (kind, odd) in enumerate(ODD.items()):
            redis.odd[command] = odd
            group = f"group-{number}"
            holding = asyncio.create_task(intake.hold([group]))
            if command in ASKED_FIRST:
                redis.cut()
            await asyncio.wait_for(holding, 20)
            intake.release([group])
            await eventually(lambda: command not in redis.odd)
            await eventually(lambda: intake.ready)
            assert not intake.failed.is_set(), kind
        assert redis.given[command] == len(ODD)
        await intake.stop()


def read_scores(members: list[list[bytes]]) -> None:
    """As the fan-out does."""
    for _, score in members:
        float(score)


class TestReplyWithoutEnd:
    async def test_is_cut_at_the_limit(self, tmp_path: Path) -> None:
        async with FakeRedis(str(tmp_path / "s")).running() as redis:
            connection = await open_connection(redis.address, reply_limit=1_000_000)
            redis.odd["INFO"] = b"$2000000000\r\n" + b"x" * 3_000_000
            with pytest.raises(RedisUnavailable, match="more than 1000000 bytes in one answer"):
                await asyncio.wait_for(connection.command("INFO", "server"), 20)
            assert connection.lost.done()

    async def test_many_replies_may_be_longer_together(self, tmp_path: Path) -> None:
        async with FakeRedis(str(tmp_path / "s")).running() as redis:
            connection = await open_connection(redis.address, reply_limit=1_000_000)
            answers = []
            for _ in range(20):
                redis.odd["INFO"] = b"$300000\r\n" + b"x" * 300_000 + b"\r\n"
                answers.append(len(await asyncio.wait_for(connection.command("INFO", "server"), 20)))
            assert answers == [300_000] * 20
            connection.close()
