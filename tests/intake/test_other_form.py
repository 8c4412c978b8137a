"""Somebody is told when a Redis has groups of the form that was not asked for, and only then."""

import contextlib
import time

import pytest
from awxfast.intake import other_form
from awxfast.intake.names import ProcessNames
from awxfast.intake.other_form import warn_of_other_form
from awxfast.redis.login import open_connection
from redis_servers import RedisServer

CORE, LISTS = "asgi:group:jobs-1", "asgi::group:jobs-1"


async def warn(server: RedisServer, layer: str, prefix: str | None = None) -> None:
    with contextlib.closing(await open_connection(server.address)) as connection:
        await warn_of_other_form(connection, layer, prefix or ("asgi:" if layer == "lists" else "asgi"))


def join(server: RedisServer, *keys: str) -> None:
    with server.client() as client:
        for key in keys:
            client.zadd(key, {"specific.a!b": time.time()})


@pytest.mark.parametrize(
    ("keys", "layer", "said"),
    [
        ([LISTS], "core", "give --layer lists"),
        ([CORE], "lists", "give --layer core"),
        ([CORE], "core", ""),
        ([LISTS], "lists", ""),
        ([CORE, LISTS], "core", ""),
        ([CORE, LISTS], "lists", ""),
        ([], "core", ""),
        ([CORE], "pubsub", ""),
    ],
)
async def test_groups_of_the_other_form_alone_are_named(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture, keys: list[str], layer: str, said: str
) -> None:
    join(redis_server, *keys)
    await warn(redis_server, layer)
    assert len(caplog.messages) == bool(said)
    assert said in caplog.text


async def test_own_sentinels_are_no_producers(redis_server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    names = ProcessNames("asgi")
    join(redis_server, names.group_key(names.sentinel))
    await warn(redis_server, "lists")
    assert caplog.messages == []


async def test_prefix_in_which_both_look_alike_says_nothing(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    join(redis_server, "site:group:a", "site::group:a")
    await warn(redis_server, "lists", "site")
    assert caplog.messages == []


async def test_large_redis_is_not_read_to_its_end(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_form, "SCANS", 2)
    monkeypatch.setattr(other_form, "SCAN_COUNT", 10)
    with redis_server.client() as client:
        client.mset({f"key-{number}": 1 for number in range(1_000)})
        await warn(redis_server, "core")
        assert client.info("commandstats")["cmdstat_scan"]["calls"] == 2
