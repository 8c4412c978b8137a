"""Entries opened and sealed, against `cryptography`, `json` and channels_redis' own serializers."""

import base64
import hashlib
import json
import time
from typing import Any

import msgpack
import pytest
from awxfast._rust import EntryFormat, Fanout, LinkEncoder, decode_envelope
from channels_redis.serializers import registry
from cryptography.fernet import Fernet, InvalidToken
from hypothesis import given
from hypothesis import strategies as st

KEYS = [b"first key", "zweiter Schlüssel".encode()]
NOW = 1_795_561_314
EVENT = {"type": "internal.message", "text": "{}", "__asgi_channel__": ["specific.a!g.jobs-summary"]}

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)


def fernet(key: bytes) -> Fernet:
    """As channels_redis makes it."""
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(key).digest()))


def encrypted(**options: Any) -> EntryFormat:
    return EntryFormat(**{"prefix_length": 0, "keys": KEYS, **options})


def stock(serializer: str = "msgpack", **options: Any) -> Any:
    return registry.get_serializer(serializer, **{"random_prefix_length": 12, "expiry": 60, **options})


class TestTokens:
    @given(st.binary(max_size=300), st.sampled_from(KEYS))
    def test_any_body_that_cryptography_encrypts_is_read(self, body: bytes, key: bytes) -> None:
        assert encrypted(ttl=70).open(fernet(key).encrypt(body)) == body

    @given(st.binary(max_size=300))
    def test_any_body_is_sealed_so_that_cryptography_reads_it(self, body: bytes) -> None:
        token = encrypted().seal(body)
        assert fernet(KEYS[0]).decrypt(token, ttl=70) == body
        with pytest.raises(InvalidToken):
            fernet(KEYS[1]).decrypt(token)

    @given(st.data())
    def test_damaged_token_is_refused_or_read_by_cryptography_too(self, data: st.DataObject) -> None:
        token = bytearray(fernet(KEYS[0]).encrypt(b"sixteen bytes and more"))
        token[data.draw(st.integers(0, len(token) - 1))] = data.draw(st.integers(0, 255))
        del token[data.draw(st.sampled_from([len(token), data.draw(st.integers(0, len(token)))])) :]
        try:
            body = encrypted().open(bytes(token))
        except ValueError as error:
            assert str(error) == "undecryptable"
        else:
            assert fernet(KEYS[0]).decrypt(bytes(token)) == body

    @pytest.mark.parametrize("late", [-62, -61, -60, -59, 0, 69, 70, 71, 72])
    def test_clocks_may_differ_as_much_as_cryptography_lets_them(self, late: int) -> None:
        token = fernet(KEYS[0]).encrypt_at_time(b"body", NOW)
        try:
            expected: object = fernet(KEYS[0]).decrypt_at_time(token, ttl=70, current_time=NOW + late)
        except InvalidToken:
            expected = "undecryptable"
        try:
            read: object = encrypted(ttl=70).open(token, NOW + late)
        except ValueError as error:
            read = str(error)
        assert read == expected
        assert encrypted(ttl=None).open(token, NOW + late) == b"body"


class TestSerializers:
    @given(st.dictionaries(st.text(), values), st.text(), st.lists(st.text(), max_size=3), st.booleans())
    def test_json_is_read_as_python_reads_it(
        self, more: dict[str, Any], text: str, channels: list[str], ascii_only: bool
    ) -> None:
        message = {**more, "type": "a", "text": text, "__asgi_channel__": channels, "needs_relay": True}
        body = json.dumps(message, ensure_ascii=ascii_only).encode(errors="replace")
        expected = json.loads(body)
        entry_format = EntryFormat(prefix_length=0, serializer="json")
        assert decode_envelope(body, entry_format) == (
            "a",
            expected["text"].encode(),
            expected["__asgi_channel__"],
            True,
        )

    @given(st.text(alphabet='{}[]",:\\u0123 ntrueNaI-.e+', max_size=30))
    def test_what_is_no_json_to_python_is_malformed(self, text: str) -> None:
        try:
            json.loads(text)
        except ValueError:
            with pytest.raises(ValueError, match="malformed"):
                EntryFormat(prefix_length=0, serializer="json").open(text.encode())
        else:
            EntryFormat(prefix_length=0, serializer="json").open(text.encode())

    @pytest.mark.parametrize("serializer", ["msgpack", "json"])
    @pytest.mark.parametrize("keys", [[], KEYS])
    @pytest.mark.parametrize("prefix_length", [0, 1, 12, 32])
    def test_channels_redis_and_we_read_each_other(
        self, serializer: str, keys: list[bytes], prefix_length: int
    ) -> None:
        theirs = stock(serializer, symmetric_encryption_keys=keys, random_prefix_length=prefix_length)
        ours = EntryFormat(prefix_length=prefix_length, serializer=serializer, keys=keys, ttl=70)
        body = msgpack.packb(EVENT) if serializer == "msgpack" else json.dumps(EVENT).encode()
        assert ours.open(theirs.serialize(EVENT)) == body
        assert theirs.deserialize(ours.seal(body)) == EVENT

    def test_sealed_entries_of_one_message_are_never_alike(self) -> None:
        for entry_format in (EntryFormat(), encrypted()):
            assert entry_format.seal(b"body") != entry_format.seal(b"body")
        assert EntryFormat(prefix_length=0).seal(b"body") == b"body"


class TestKeys:
    def test_other_keys_count_at_once_wherever_the_format_is_used(self) -> None:
        entry_format = EntryFormat(prefix_length=0, keys=[b"old"])
        fanout = Fanout(entry_format=entry_format)
        encoder = LinkEncoder(entry_format)
        entry = fernet(b"new").encrypt(msgpack.packb(EVENT | {"needs_relay": True}))
        for keys, refused in (([b"old"], 1), ([b"new", b"old"], 1)):
            entry_format.accept_keys(keys)
            fanout.publish_batch([[entry, b"1.0"]])
            encoder.encode_batch([[entry, b"1.0"]])
            assert fanout.ledger()["events"]["rejected"] == {"undecryptable": refused}
            assert encoder.counts()["rejected"]["undecryptable"] == refused
        assert fanout.ledger()["events"]["no_subscriber"] == 1
        fanout.stop()

    def test_refused_entries_are_counted_by_their_reason(self) -> None:
        entry_format = encrypted(ttl=70)
        now = int(time.time())
        tokens = [
            b"\x82\xa4type",
            fernet(b"other").encrypt(b"body"),
            fernet(KEYS[0]).encrypt_at_time(b"body", now - 100),
            fernet(KEYS[0]).encrypt_at_time(b"body", now + 100),
        ]
        for token in tokens:
            with pytest.raises(ValueError, match="undecryptable"):
                entry_format.open(token)
        assert entry_format.refused() == {"no_token": 1, "wrong_key": 1, "too_old": 1, "too_early": 1}

    def test_no_key_is_printed(self) -> None:
        entry_format = encrypted()
        for text in (repr(entry_format), str(entry_format), repr(dir(entry_format))):
            assert "first key" not in text
        assert (entry_format.is_encrypted, EntryFormat().is_encrypted) == (True, False)

    def test_serializer_that_there_is_not_is_refused(self) -> None:
        with pytest.raises(ValueError, match="msgpack or json, not pickle"):
            EntryFormat(serializer="pickle")


class TestFanout:
    def test_consumers_get_the_opened_body(self) -> None:
        entry_format = EntryFormat(serializer="json", keys=KEYS, ttl=70)
        fanout = Fanout(entry_format=entry_format, consumers=True, direct_types=[])
        fanout.add_own_channel("x")
        message = {"type": "site.line", "text": "\ud800", "n": 2**70, "__asgi_channel__": "specific.a!x"}
        body = json.dumps(message).encode()
        handed_out = fanout.publish_batch([[entry_format.seal(body), b"1.0"]])
        assert handed_out == [(False, [], ["x"], body)]
        fanout.stop()
