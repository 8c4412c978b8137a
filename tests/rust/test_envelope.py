"""Queue entries against the msgpack package, and against bytes that channels_redis wrote."""

import hashlib
import json
from pathlib import Path
from typing import Any

import msgpack
import pytest
from awxfast._rust import EntryFormat, decode_envelope
from hypothesis import given
from hypothesis import strategies as st

CAPTURED = Path(__file__).resolve().parents[1] / "vectors"
LAYER: dict[str, Any] = json.loads((CAPTURED / "channel-layer-vectors.json").read_text())

PREFIX = bytes(12)
EVENT = {"type": "internal.message", "text": "{}", "__asgi_channel__": ["specific.a!g.jobs-summary"]}

scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=20) | st.binary()
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)
messages = st.fixed_dictionaries(
    {},
    optional={
        "type": st.text() | values,
        "text": st.text() | values,
        "needs_relay": st.booleans() | values,
        "__asgi_channel__": st.text() | st.lists(st.text(), max_size=5) | values,
        "other": values,
    },
)


def is_names(channels: Any) -> bool:
    return isinstance(channels, str) or (
        isinstance(channels, list) and all(isinstance(channel, str) for channel in channels)
    )


def decode_by_hand(message: dict[str, Any]) -> Any:
    """What `decode_envelope` must give, or the reason that it must raise."""
    channels = message.get("__asgi_channel__")
    if not isinstance(message.get("type"), str):
        return "no_type"
    if not isinstance(message.get("text"), str):
        return "no_text"
    if not is_names(channels):
        return "no_channel"
    names = [channels] if isinstance(channels, str) else channels
    return message["type"], message["text"].encode(), names, message.get("needs_relay") is True


def decode(member: bytes, prefix_length: int = len(PREFIX), **entry_format: Any) -> Any:
    try:
        return decode_envelope(member, EntryFormat(prefix_length=prefix_length, **entry_format))
    except ValueError as error:
        return str(error)


def member_of(write: dict[str, Any]) -> bytes:
    """The captured entry; of a long one the vectors keep both ends, and what is between is the letter x."""
    if "member_hex" in write:
        return bytes.fromhex(write["member_hex"])
    head, tail = bytes.fromhex(write["member_head_hex"]), bytes.fromhex(write["member_tail_hex"])
    member = head + b"x" * (write["member_bytes"] - len(head) - len(tail)) + tail
    assert hashlib.sha256(member).hexdigest() == write["member_sha256"]
    return member


def entries(*, plain: bool) -> list[Any]:
    """Member, prefix length and decoded message; `plain` are those in msgpack, without encryption."""
    return [
        pytest.param(member_of(write), case["layer"]["random_prefix_length"], write["decoded"], id=case["name"])
        for case in LAYER["core"]
        for write in case.get("writes", [])
        if plain == (case["layer"]["serializer_format"] == "msgpack" and "fernet_time" not in write)
    ]


def told_entries() -> list[Any]:
    """The layer's options, member and decoded message of those that are in JSON or encrypted."""
    return [
        pytest.param(case["layer"], member_of(write), write["decoded"], id=case["name"])
        for case in LAYER["core"]
        for write in case.get("writes", [])
        if case["layer"]["serializer_format"] == "json" or "fernet_time" in write
    ]


def old_entries() -> list[Any]:
    zset = [
        pytest.param(bytes.fromhex(entry["member_hex"]), len(PREFIX), entry["decoded"], id=case["channels_redis"])
        for case in LAYER["legacy"]
        for entry in case.get("entries", [])
    ]
    lists = [
        pytest.param(bytes.fromhex(entry["hex"]), 0, entry["decoded"], id=case["channels_redis"])
        for case in LAYER["legacy"]
        for entry in case.get("entries_head_to_tail", [])
    ]
    return zset + lists


class TestStockProducers:
    @pytest.mark.parametrize(("member", "prefix_length", "message"), entries(plain=True))
    def test_captured_entry_is_read(self, member: bytes, prefix_length: int, message: dict[str, Any]) -> None:
        if message.get("text") == "x * 70000":
            message = message | {"text": "x" * 70000}
        assert decode(member, prefix_length) == decode_by_hand(message)

    @pytest.mark.parametrize(("member", "prefix_length", "message"), old_entries())
    def test_captured_entry_of_an_old_version_is_read(
        self, member: bytes, prefix_length: int, message: dict[str, Any]
    ) -> None:
        assert decode(member, prefix_length) == decode_by_hand(message)

    @pytest.mark.parametrize(("member", "prefix_length", "message"), entries(plain=False))
    def test_json_and_encrypted_entries_are_malformed_to_who_knows_no_better(
        self, member: bytes, prefix_length: int, message: dict[str, Any]
    ) -> None:
        assert decode(member, prefix_length) == "malformed"

    @pytest.mark.parametrize(("layer", "member", "message"), told_entries())
    def test_captured_json_and_encrypted_entries_are_read(
        self, layer: dict[str, Any], member: bytes, message: dict[str, Any]
    ) -> None:
        keys = [key.encode() for key in layer.get("symmetric_encryption_keys", [])]
        read = decode(member, layer["random_prefix_length"], serializer=layer["serializer_format"], keys=keys)
        assert read == decode_by_hand(message)

    def test_message_of_the_pubsub_layer_has_no_channel(self) -> None:
        assert decode(bytes.fromhex(LAYER["pubsub"][0]["payload_hex"]), 0) == "no_channel"


class TestMessages:
    @given(messages, st.randoms(use_true_random=False))
    def test_msgpack_agrees_whatever_the_order(self, message: dict[str, Any], random: Any) -> None:
        keys = list(message)
        random.shuffle(keys)
        body = msgpack.packb({key: message[key] for key in keys})
        assert decode(PREFIX + body) == decode_by_hand(message)

    @given(messages, messages)
    def test_last_of_equal_keys_counts(self, first: dict[str, Any], last: dict[str, Any]) -> None:
        body = msgpack.Packer().pack_map_pairs([*first.items(), *last.items()])
        assert decode(PREFIX + body) == decode_by_hand(first | last)

    @given(st.integers(0, len(msgpack.packb(EVENT)) - 1), st.integers(0, 255))
    def test_damaged_entry_is_refused_or_read_like_msgpack_reads_it(self, at: int, byte: int) -> None:
        body = bytearray(msgpack.packb(EVENT))
        body[at] = byte
        decoded = decode(PREFIX + body)
        if isinstance(decoded, tuple):
            assert decoded == decode_by_hand(msgpack.unpackb(bytes(body)))

    @given(st.binary(max_size=200))
    def test_any_bytes_are_read_or_refused_by_a_known_reason(self, member: bytes) -> None:
        decoded = decode(member)
        assert isinstance(decoded, tuple) or decoded in {"malformed", "no_type", "no_text", "not_utf8", "no_channel"}


class TestReasons:
    def test_entry_shorter_than_its_prefix_is_malformed(self) -> None:
        assert decode(PREFIX[1:]) == "malformed"
        assert decode(PREFIX) == "malformed"
        assert decode(b"", 2**63) == "malformed"

    def test_text_that_is_not_utf8_has_its_own_reason(self) -> None:
        body = msgpack.packb(EVENT | {"text": "\udcff"}, unicode_errors="surrogateescape")
        assert decode(PREFIX + body) == "not_utf8"

    def test_bytes_are_no_text(self) -> None:
        assert decode(PREFIX + msgpack.packb(EVENT | {"text": b"{}"})) == "no_text"

    def test_bytes_after_the_map_are_malformed(self) -> None:
        assert decode(PREFIX + msgpack.packb(EVENT) + b"\xc0") == "malformed"

    @pytest.mark.parametrize("value", [None, [], "text", 7])
    def test_value_that_is_no_map_is_malformed(self, value: object) -> None:
        assert decode(PREFIX + msgpack.packb(value)) == "malformed"


class TestBombs:
    def test_deep_nesting_neither_overflows_nor_lasts(self) -> None:
        body = msgpack.packb(EVENT)
        bomb = bytes([body[0] + 1]) + msgpack.packb("other") + b"\x91" * 2_000_000 + body[1:]
        assert decode(PREFIX + bomb) == "malformed"

    @pytest.mark.parametrize("head", [b"\xdb", b"\xc6", b"\xc9", b"\xdd", b"\xdf"])
    def test_huge_lengths_cost_nothing(self, head: bytes) -> None:
        assert decode(PREFIX + head + b"\xff" * 4) == "malformed"
        assert decode(PREFIX + b"\x81\xa1x" + head + b"\xff" * 4) == "malformed"
