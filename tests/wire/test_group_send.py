"""What is written for a group, against msgpack and a Redis that runs the scripts."""

import time
from typing import Any

import msgpack
import pytest
from awxfast.settings import LayerSettings
from awxfast.wire.group_send import (
    SEND_MANY,
    SEND_ONE,
    pack_event,
    pack_message,
    send_many_arguments,
    send_one_arguments,
)
from hypothesis import given
from hypothesis import strategies as st
from redis_servers import RedisServer

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
MESSAGES = st.dictionaries(TEXTS, st.one_of(st.booleans(), TEXTS), max_size=20)

LAYER = LayerSettings()
RANDOM = 12


def queues(server: RedisServer) -> dict[str, list[Any]]:
    """What is in them, without the random prefix."""
    client = server.client()
    keys = [key.decode() for key in client.keys("*") if b":group:" not in key]
    return {key: [msgpack.unpackb(entry[RANDOM:]) for entry in client.zrange(key, 0, -1)] for key in keys}


class TestBytes:
    @given(MESSAGES, st.lists(TEXTS, max_size=20))
    def test_entry_is_what_msgpack_packs_once_the_channels_are_added(
        self, message: dict[str, str | bool], channels: list[str]
    ) -> None:
        message.pop("__asgi_channel__", None)
        entry = pack_message(LAYER, message)[RANDOM:] + msgpack.packb(channels)
        assert entry == msgpack.packb({**message, "__asgi_channel__": channels})

    @pytest.mark.parametrize("size", [0, 31, 32, 255, 256, 65_535, 65_536])
    def test_event_is_the_message_of_its_text(self, size: int) -> None:
        text = "é" * size
        message = {"type": "internal.message", "text": text}
        assert pack_event(LAYER, text.encode())[RANDOM:] == pack_message(LAYER, message)[RANDOM:]

    def test_channels_that_a_message_brings_are_not_sent_on(self) -> None:
        sent = pack_message(LAYER, {"__asgi_channel__": ["a"], "type": "b"}) + msgpack.packb(["c"])
        assert msgpack.unpackb(sent[RANDOM:]) == {"type": "b", "__asgi_channel__": ["c"]}

    def test_equal_messages_are_distinct_entries(self) -> None:
        assert pack_event(LAYER, b"x") != pack_event(LAYER, b"x")
        assert pack_message(LAYER, {"type": "a"}) != pack_message(LAYER, {"type": "a"})

    @pytest.mark.parametrize("length", [0, 20])
    def test_random_prefix_is_as_long_as_the_layer_says(self, length: int) -> None:
        layer = LayerSettings(random_prefix_length=length)
        message = {"type": "internal.message", "text": "x"}
        for entry in (pack_event(layer, b"x"), pack_message(layer, message)):
            assert msgpack.unpackb(entry[length:] + msgpack.packb([])) == {**message, "__asgi_channel__": []}


class TestQueues:
    MEMBERS = ("specific.a!g.x", "specific.a!g.y", "specific.b!g.x", "plain")

    @pytest.mark.parametrize("way", ["one", "many"])
    def test_channels_of_one_process_share_a_queue(self, redis_server: RedisServer, way: str) -> None:
        client, now = redis_server.client(), time.time()
        client.zadd("asgi:group:x", dict.fromkeys(self.MEMBERS, now))
        entry = pack_message(LAYER, {"type": "a"})
        if way == "one":
            client.eval(SEND_ONE.text, 0, *send_one_arguments(LAYER, "x", entry, now))
        else:
            client.eval(SEND_MANY.text, 0, *send_many_arguments(LAYER, "", [("x", now, entry)], now))
        found = {key: entries[0]["__asgi_channel__"] for key, entries in queues(redis_server).items()}
        assert found == {
            "asgispecific.a!": ["specific.a!g.x", "specific.a!g.y"],
            "asgispecific.b!": ["specific.b!g.x"],
            "asgiplain": ["plain"],
        }
