"""Messages as bytes, as channels_redis' serializers write and read them."""

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import msgpack
import pytest
from awxfast.settings import LayerSettings
from awxfast.wire.entry_bodies import (
    find_own_serializer,
    is_completed_by_redis,
    make_entry_format,
    pack_whole,
    unpack_body,
)
from channels_redis import serializers
from channels_redis.serializers import BaseMessageSerializer, JSONSerializer, registry

MESSAGE = {"type": "internal.message", "text": "hé 🚀", "n": [1, None]}


class Own(BaseMessageSerializer):
    """A site's own."""

    def as_bytes(self, message: Any, *args: Any, **kwargs: Any) -> bytes:
        return repr(message).encode()

    from_bytes = as_bytes


@pytest.fixture
def own_json() -> Iterator[None]:
    registry.register_serializer("json", Own)
    yield
    registry.register_serializer("json", JSONSerializer)


class TestWhole:
    @pytest.mark.parametrize("serializer", ["msgpack", "json"])
    @pytest.mark.parametrize("length", [-1, 0, 12])
    @pytest.mark.parametrize("keys", [[], [b"key"]])
    def test_channels_redis_reads_what_is_packed(self, serializer: str, length: int, keys: list[bytes]) -> None:
        layer = LayerSettings(serializer_format=serializer, random_prefix_length=length)
        entry = pack_whole(make_entry_format(layer, keys), {**MESSAGE, "__asgi_channel__": "x"}, ["a!b", "a!c"])
        stock = registry.get_serializer(
            serializer, random_prefix_length=length, symmetric_encryption_keys=keys, expiry=60
        )
        message = stock.deserialize(entry)
        assert message == {**MESSAGE, "__asgi_channel__": ["a!b", "a!c"]}
        assert list(message)[-1] == "__asgi_channel__"

    def test_json_is_escaped_as_channels_redis_does_it(self) -> None:
        layer = LayerSettings(serializer_format="json", random_prefix_length=0)
        entry = pack_whole(make_entry_format(layer), MESSAGE, ["a!é"])
        assert entry == JSONSerializer().as_bytes({**MESSAGE, "__asgi_channel__": ["a!é"]})
        assert entry.isascii()

    def test_message_whose_channels_are_told_otherwise_has_none(self) -> None:
        entry = pack_whole(make_entry_format(LayerSettings(random_prefix_length=0)), MESSAGE, None)
        assert msgpack.unpackb(entry) == MESSAGE

    def test_nothing_stands_before_what_is_published_whatever_length_the_layer_is_told(self) -> None:
        entry = pack_whole(make_entry_format(LayerSettings(layer="pubsub", random_prefix_length=12)), MESSAGE, None)
        assert msgpack.unpackb(entry) == MESSAGE

    def test_what_json_has_no_form_for_is_a_type_error(self) -> None:
        with pytest.raises(TypeError):
            pack_whole(make_entry_format(LayerSettings(serializer_format="json")), {"type": "a", "b": b"x"}, [])

    def test_redis_completes_only_plain_msgpack(self) -> None:
        assert is_completed_by_redis(make_entry_format(LayerSettings()))
        assert not is_completed_by_redis(make_entry_format(LayerSettings(), [b"key"]))
        assert not is_completed_by_redis(make_entry_format(LayerSettings(serializer_format="json")))

    @pytest.mark.parametrize(("form", "age"), [("core", 71), ("lists", 71), ("pubsub", None)])
    def test_encrypted_entries_last_ten_seconds_longer_than_expiry_but_on_pubsub_for_ever(
        self, form: str, age: int | None
    ) -> None:
        entry_format = make_entry_format(LayerSettings(layer=form, expiry=60, random_prefix_length=0), [b"key"])
        entry = entry_format.seal(b"body")
        now = int(time.time())
        assert entry_format.open(entry, now + 69) == b"body"
        if age is None:
            assert entry_format.open(entry, now + 10_000) == b"body"
        else:
            with pytest.raises(ValueError, match="undecryptable"):
                entry_format.open(entry, now + age + 1)


class TestBodies:
    def test_consumers_message_has_no_list_of_channels(self) -> None:
        whole = {**MESSAGE, "__asgi_channel__": ["a!b"]}
        assert unpack_body("msgpack", msgpack.packb(whole)) == MESSAGE
        assert unpack_body("json", json.dumps(whole).encode()) == MESSAGE


class TestOwnSerializers:
    def test_stock_ones_are_nobodys_own(self) -> None:
        for configuration in ({}, {"serializer_format": "msgpack"}, {"serializer_format": "json"}):
            assert find_own_serializer(configuration) is None

    def test_other_name_is_an_own_one(self) -> None:
        assert find_own_serializer({"serializer_format": "pickle"}) == "pickle"

    def test_stock_name_with_another_class_is_an_own_one(self, own_json: None) -> None:
        assert find_own_serializer({"serializer_format": "json"}) == "json"
        assert find_own_serializer({"serializer_format": "msgpack"}) is None

    def test_own_class_that_can_not_be_made_just_so_is_an_own_one(self) -> None:
        def refuse(self: Any, needed: int, **options: Any) -> None:
            """Wants an argument of its own."""

        registry.register_serializer("json", type("Wanting", (Own,), {"__init__": refuse}))
        try:
            assert find_own_serializer({"serializer_format": "json"}) == "json"
        finally:
            registry.register_serializer("json", JSONSerializer)

    def test_channels_redis_without_serializers_has_none_of_its_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delitem(sys.modules, serializers.__name__)
        assert find_own_serializer({}) is None
