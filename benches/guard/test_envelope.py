"""A queue entry: to type, text and channels, from msgpack, from JSON, decrypted, and as it is pushed."""

import base64
import hashlib
import json

import hiredis
import msgpack
from awxfast._rust import EntryFormat, PushReader, decode_envelope
from cryptography.fernet import Fernet

from guard.comparison import Compare
from guard.samples import CHANNEL, GROUP, RANDOM_PREFIX, event_text, queue_entry

KEY = b"a key of the benchmark"


def test_envelope(compare: Compare) -> None:
    entry = queue_entry(event_text(1024))
    prefix = len(RANDOM_PREFIX)
    entry_format = EntryFormat(prefix_length=prefix)
    assert decode_envelope(entry, entry_format)[1].decode() == event_text(1024)
    compare(lambda: decode_envelope(entry, entry_format), lambda: msgpack.unpackb(entry[prefix:]))


def test_encrypted_entry(compare: Compare) -> None:
    """Against what channels_redis does with it."""
    fernet = Fernet(base64.urlsafe_b64encode(hashlib.sha256(KEY).digest()))
    prefix = len(RANDOM_PREFIX)
    entry = RANDOM_PREFIX + fernet.encrypt(queue_entry(event_text(1024))[prefix:])
    entry_format = EntryFormat(prefix_length=prefix, keys=[KEY], ttl=3600)
    assert decode_envelope(entry, entry_format)[1].decode() == event_text(1024)
    compare(
        lambda: decode_envelope(entry, entry_format), lambda: msgpack.unpackb(fernet.decrypt(entry[prefix:], ttl=3600))
    )


def test_json_entry(compare: Compare) -> None:
    message = {"type": "internal.message", "text": event_text(1024), "__asgi_channel__": [CHANNEL]}
    entry = json.dumps(message).encode()
    entry_format = EntryFormat(prefix_length=0, serializer="json")
    assert decode_envelope(entry, entry_format)[1].decode() == event_text(1024)
    compare(lambda: decode_envelope(entry, entry_format), lambda: json.loads(entry))


def test_pushed_message(compare: Compare) -> None:
    """Of a pub/sub layer, from what Redis sends to the text, against hiredis and msgpack."""
    channel, body = f"asgi__group__{GROUP}".encode(), queue_entry(event_text(1024), prefix=b"")
    reply = b"*3\r\n$7\r\nmessage\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" % (len(channel), channel, len(body), body)
    ours, theirs = PushReader(10 * len(reply), "asgi__group__", "asgispecific."), hiredis.Reader()
    entry_format = EntryFormat(prefix_length=0)

    def read() -> bytes:
        ((_, _, message),), _ = ours.feed(reply)
        return decode_envelope(message, entry_format)[1]

    def read_theirs() -> object:
        theirs.feed(reply)
        return msgpack.unpackb(theirs.gets()[2])

    assert read().decode() == event_text(1024)
    compare(read, read_theirs)
