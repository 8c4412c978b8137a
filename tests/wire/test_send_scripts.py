"""What is written for a group whose queues are lists, against captured bytes of channels_redis 2.4.2."""

import json
import time
from pathlib import Path

import msgpack
import pytest
from awxfast.settings import default_layer
from awxfast.wire.group_send import pack_message, send_many_arguments, send_one_arguments
from awxfast.wire.send_scripts import LIST_SEND_MANY, LIST_SEND_ONE, SEND_SCRIPTS
from redis_servers import RedisServer

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "channel-layer-vectors.json").read_text())
(CAPTURED,) = [case for case in VECTORS["legacy"] if case["channels_redis"] == "2.4.2"]
LAYER = default_layer("lists")
QUEUE = CAPTURED["queue_key"]


def run(server: RedisServer, way: str, group: str, entry: bytes, capacity: int = 10_000) -> list[int]:
    layer = default_layer("lists") if capacity == 10_000 else type(LAYER)(**{**vars(LAYER), "capacity": capacity})
    now = time.time()
    if way == "one":
        return server.client().eval(LIST_SEND_ONE.text, 0, *send_one_arguments(layer, group, entry, now))
    words = send_many_arguments(layer, "", [(group, now, entry)], now)
    return server.client().eval(LIST_SEND_MANY.text, 0, *words)


@pytest.mark.parametrize("way", ["one", "many"])
class TestLists:
    def test_bytes_key_and_expiry_are_those_of_version_2(self, redis_server: RedisServer, way: str) -> None:
        captured = CAPTURED["entries_head_to_tail"][1]
        channels = captured["decoded"]["__asgi_channel__"]
        client = redis_server.client()
        for number, channel in enumerate(channels):
            client.zadd(CAPTURED["group_key"], {channel: time.time() + number})
        run(redis_server, way, "job_events-42", pack_message(LAYER, captured["decoded"]))
        assert client.lrange(QUEUE, 0, -1) == [bytes.fromhex(captured["hex"])]
        assert 0 < client.ttl(QUEUE) <= CAPTURED["ttl_s"]

    def test_newest_is_at_the_head_and_lost_over_capacity(self, redis_server: RedisServer, way: str) -> None:
        client = redis_server.client()
        client.zadd(CAPTURED["group_key"], {"specific.dLhwkMgi!a1": time.time()})
        answers = [
            run(redis_server, way, "job_events-42", pack_message(LAYER, {"type": str(number)}), capacity=3)
            for number in range(5)
        ]
        assert [msgpack.unpackb(entry)["type"] for entry in client.lrange(QUEUE, 0, -1)] == ["2", "1", "0"]
        expected = {"one": [[0, 1]] * 3 + [[1, 1]] * 2, "many": [[1, 0]] * 3 + [[0, 1]] * 2}
        assert answers == expected[way]


def test_many_keep_their_order_in_each_queue(redis_server: RedisServer) -> None:
    client, now = redis_server.client(), time.time()
    client.zadd("asgi::group:a", {"specific.x!a": now, "specific.y!a": now})
    client.zadd("asgi::group:b", {"specific.x!b": now})
    entries = [(group, now, pack_message(LAYER, {"type": str(n)})) for n, group in enumerate("ab" * 1_500)]
    answers = client.eval(LIST_SEND_MANY.text, 0, *send_many_arguments(LAYER, "", entries, now))
    assert answers == [2, 1] * 1_500 + [0]
    for queue, numbers in (("asgi:specific.x!", range(3_000)), ("asgi:specific.y!", range(0, 3_000, 2))):
        found = [int(msgpack.unpackb(entry)["type"]) for entry in reversed(client.lrange(queue, 0, -1))]
        assert found == list(numbers)


def test_queue_of_another_type_costs_only_its_own(redis_server: RedisServer) -> None:
    client, now = redis_server.client(), time.time()
    client.zadd("asgi::group:a", {"specific.x!a": now, "specific.y!a": now})
    client.zadd("asgi:specific.x!", {"of": 1})
    words = send_many_arguments(LAYER, "", [("a", now, pack_message(LAYER, {"type": "t"}))], now)
    assert client.eval(LIST_SEND_MANY.text, 0, *words) == [1, 1]
    assert client.llen("asgi:specific.y!") == 1


def test_own_queue_is_left_out(redis_server: RedisServer) -> None:
    client, now = redis_server.client(), time.time()
    client.zadd("asgi::group:a", {"specific.x!a": now, "specific.y!a": now})
    words = send_many_arguments(LAYER, "specific.x!", [("a", now, pack_message(LAYER, {"type": "t"}))], now)
    assert client.eval(SEND_SCRIPTS["lists"].many.text, 0, *words) == [1, 0]
    assert not client.exists("asgi:specific.x!")
