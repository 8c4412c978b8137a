"""`awxfast.emit` from plain programs, as AWX's browsers get it."""

import dataclasses
import datetime
import json
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import awxfast
import msgpack
import pytest
from awxfast._rust import EntryFormat
from awxfast.errors import ConfigurationError
from awxfast.producer.emit import Sender, find_sender
from awxfast.settings import default_layer
from awxfast.wire.entry_bodies import make_entry_format
from redis_servers import RedisServer, group_published_on

QUEUE = "asgispecific.x!"


@pytest.fixture
def emitting_redis(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisServer]:
    """The Redis that `emit` finds in the environment; somebody is in the group `jobs-summary`."""
    monkeypatch.setenv("AWXFAST_REDIS", redis_server.url)
    monkeypatch.setattr("awxfast.producer.emit.sys", type("NoDjango", (), {"modules": {}}))
    find_sender.cache_clear()
    redis_server.client().zadd("asgi:group:jobs-summary", {f"{QUEUE[4:]}g": 9e9})
    yield redis_server
    find_sender().close()
    find_sender.cache_clear()


def queued(server: RedisServer) -> list[dict[str, Any]]:
    return [msgpack.unpackb(member[12:]) for member in server.client().zrange(QUEUE, 0, -1)]


class TestLists:
    def test_message_goes_into_a_list_where_the_environment_says_so(
        self, emitting_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWXFAST_LAYER", "lists")
        client = emitting_redis.client()
        client.zadd("asgi::group:jobs-summary", {"specific.x!g": 9e9})
        awxfast.emit("jobs-summary", "{}", needs_relay=False)
        (entry,) = client.lrange("asgi:specific.x!", 0, -1)
        assert msgpack.unpackb(entry) == {
            "type": "internal.message",
            "text": "{}",
            "__asgi_channel__": ["specific.x!g"],
        }

    def test_layer_that_it_does_not_write_to_is_named(
        self, emitting_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWXFAST_LAYER", "stream")
        with pytest.raises(ConfigurationError, match="does not write to the layer stream"):
            awxfast.emit("jobs-summary", "{}")
        monkeypatch.delenv("AWXFAST_LAYER")
        awxfast.emit("jobs-summary", "{}")


class TestMessage:
    def test_it_is_awx_own(self, emitting_redis: RedisServer) -> None:
        awxfast.emit("jobs-summary", '{"final_counter": 7}')
        assert queued(emitting_redis) == [
            {
                "type": "internal.message",
                "text": '{"final_counter": 7}',
                "needs_relay": True,
                "__asgi_channel__": ["specific.x!g"],
            }
        ]

    def test_without_relay_the_key_is_missing(self, emitting_redis: RedisServer) -> None:
        awxfast.emit("jobs-summary", "x", needs_relay=False)
        assert "needs_relay" not in queued(emitting_redis)[0]

    def test_object_becomes_json(self, emitting_redis: RedisServer) -> None:
        awxfast.emit("jobs-summary", {"group_name": "jobs", "name": "ä"})
        assert queued(emitting_redis)[0]["text"] == '{"group_name": "jobs", "name": "\\u00e4"}'

    def test_threads_emit_at_once(self, emitting_redis: RedisServer) -> None:
        def emit_some() -> None:
            for _ in range(50):
                awxfast.emit("jobs-summary", "x")

        threads = [threading.Thread(target=emit_some) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(queued(emitting_redis)) == 200


class TestDjango:
    def test_layer_and_encoder_are_the_projects(self, redis_server: RedisServer) -> None:
        """In a process of its own: Django's settings can be set once."""
        program = """
import datetime, sys, uuid
from django.conf import settings
layer = {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [sys.argv[1]], "prefix": "site"}}
settings.configure(CHANNEL_LAYERS={"default": layer})
import awxfast
awxfast.emit("room", {"at": datetime.date(2026, 1, 2), "id": uuid.UUID(int=1)})
"""
        redis_server.client().zadd("site:group:room", {"specific.x!g": 9e9})
        environment = {name: value for name, value in os.environ.items() if name != "AWXFAST_REDIS"}
        subprocess.run([sys.executable, "-c", program, redis_server.url], env=environment, check=True, timeout=20)
        ((member, _),) = redis_server.client().zrange("sitespecific.x!", 0, -1, withscores=True)
        text = json.loads(msgpack.unpackb(member[12:])["text"])
        assert text == {"at": datetime.date(2026, 1, 2).isoformat(), "id": str(uuid.UUID(int=1))}


class TestErrors:
    @pytest.mark.parametrize("group", ["", "a b", "x" * 100])
    def test_wrong_group_is_a_type_error(self, emitting_redis: RedisServer, group: str) -> None:
        with pytest.raises(TypeError, match="group name"):
            awxfast.emit(group, "x")

    def test_no_redis_is_said(self, emitting_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as patched:
            patched.delenv("AWXFAST_REDIS")
            find_sender.cache_clear()
            with pytest.raises(ConfigurationError, match="AWXFAST_REDIS"):
                awxfast.emit("jobs-summary", "x")

    @pytest.mark.parametrize("url", ["rediss://localhost?ssl_cert_reqs=perhaps", "redis+sentinel://localhost"])
    def test_wrong_url_is_said_as_one(
        self, emitting_redis: RedisServer, monkeypatch: pytest.MonkeyPatch, url: str
    ) -> None:
        with monkeypatch.context() as patched:
            patched.setenv("AWXFAST_REDIS", url)
            find_sender.cache_clear()
            with pytest.raises(ConfigurationError, match=r"^Redis URL: "):
                awxfast.emit("jobs-summary", "x")
        find_sender.cache_clear()

    def test_options_that_only_the_layer_knows_are_refused_by_name(self) -> None:
        with pytest.raises(ConfigurationError, match="capacities by name"):
            Sender({"channel_capacity": {"a": 1}})

    def test_redis_that_is_away_is_a_connection_error(self, emitting_redis: RedisServer) -> None:
        awxfast.emit("jobs-summary", "x")
        emitting_redis.kill()
        with pytest.raises(ConnectionError, match="Redis"):
            awxfast.emit("jobs-summary", "x")
        emitting_redis.start()
        awxfast.emit("jobs-summary", "x")


class TestFullQueue:
    def test_fifty_thousand_sends_are_counted_exactly_and_said_seldom(
        self, emitting_redis: RedisServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """django/channels_redis#181, with 5,000 sends; a line a second at most, by a clock that stands still."""
        sender = find_sender()
        monkeypatch.setattr(sender.full, "_now", lambda: 100.0)
        sends = sender._sends._sends
        monkeypatch.setattr(sends, "_layer", dataclasses.replace(sends._layer, capacity=1))
        for _ in range(5_001):
            awxfast.emit("jobs-summary", "x")
        assert sender.full.dropped == 5_000
        assert len(caplog.records) == 1
        assert "jobs-summary" in caplog.text


class TestLayerOfTheEnvironment:
    def test_message_is_written_as_the_servers_variables_say(
        self, emitting_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in {"PREFIX": "site", "SERIALIZER_FORMAT": "json", "RANDOM_PREFIX_LENGTH": "0"}.items():
            monkeypatch.setenv(f"AWXFAST_{name}", value)
        client = emitting_redis.client()
        client.zadd("site:group:jobs-summary", {"specific.x!g": 9e9})
        awxfast.emit("jobs-summary", "x", needs_relay=False)
        (member,) = client.zrange("sitespecific.x!", 0, -1)
        assert json.loads(member) == {
            "type": "internal.message",
            "text": "x",
            "__asgi_channel__": ["specific.x!g"],
        }


class TestEncryption:
    def test_keys_of_the_file_encrypt(
        self, emitting_redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "keys").write_text("sesame\n")
        monkeypatch.setenv("AWXFAST_ENCRYPTION_KEY_FILE", str(tmp_path / "keys"))
        awxfast.emit("jobs-summary", "x")
        (member,) = emitting_redis.client().zrange(QUEUE, 0, -1)
        assert msgpack.unpackb(EntryFormat(keys=[b"sesame"]).open(member))["text"] == "x"


class TestPubSub:
    @pytest.mark.parametrize("is_encrypted", [False, True])
    def test_event_is_published_as_stock_does(
        self, emitting_redis: RedisServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_encrypted: bool
    ) -> None:
        monkeypatch.setenv("AWXFAST_LAYER", "pubsub")
        keys = [b"a key"] if is_encrypted else []
        if is_encrypted:
            (tmp_path / "keys").write_bytes(keys[0])
            monkeypatch.setenv("AWXFAST_ENCRYPTION_KEY_FILE", str(tmp_path / "keys"))
        with emitting_redis.client() as client, client.pubsub() as listener:
            listener.subscribe("asgi__group__jobs-summary")
            assert listener.get_message(timeout=5)["type"] == "subscribe"
            awxfast.emit("jobs-summary", "x")
            body = listener.get_message(timeout=5)["data"]
        opened = make_entry_format(default_layer("pubsub"), keys).open(body)
        assert msgpack.unpackb(opened) == {"type": "internal.message", "text": "x", "needs_relay": True}
        assert queued(emitting_redis) == []

    def test_event_is_published_where_stock_would(
        self, three_redis: list[RedisServer], emitting_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWXFAST_LAYER", "pubsub")
        monkeypatch.setenv("AWXFAST_REDIS", " ".join(server.url for server in three_redis))
        for host, server in enumerate(three_redis):
            group = group_published_on(host)
            with server.client() as client, client.pubsub() as listener:
                listener.subscribe(f"asgi__group__{group}")
                assert listener.get_message(timeout=5)["type"] == "subscribe"
                awxfast.emit(group, "x")
                assert msgpack.unpackb(listener.get_message(timeout=5)["data"])["text"] == "x"
