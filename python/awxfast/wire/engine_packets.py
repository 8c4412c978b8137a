"""Events of one group, or a mark of how many there were, as an engine carries them from one node's Redis to others.

    "AX"  version  kind  Redis  publisher  epoch  number  count  texts, each behind its length
    2     u8       u8    16     8          u64    u64     u16    u32 and UTF-8

All numbers are big endian. The group is told by the channel.
"""

import dataclasses
import enum
import struct
from collections.abc import Sequence

MAGIC = b"AX"
VERSION = 1
EVENTS = 1
MARK = 2
"""The kinds of packets that there are."""

_HEADER = struct.Struct(">2sBB16s8sQQH")
HEADER_BYTES = _HEADER.size
PACKET_BYTES = 262_144
"""Of a packet with several events; one event alone may be longer."""
MOST_EVENTS = 65_535
MOST_NUMBER = 2**53
"""Of a number or an epoch: what every reader of JSON takes for a whole number."""


class PacketFault(enum.StrEnum):
    """Why a message is no packet; also the reason in counters."""

    NO_PACKET = "no_packet"
    OTHER_VERSION = "other_version"
    OTHER_KIND = "other_kind"
    SIZES = "sizes"
    NUMBERS = "numbers"


@dataclasses.dataclass(frozen=True, slots=True)
class Origin:
    """Who counts a group's events: a process that publishes those of one Redis, and since when it counts.

    `redis` and `publisher` are hex digits; `epoch`: microseconds since 1970, other for each count that began anew.
    """

    redis: str
    publisher: str
    epoch: int


@dataclasses.dataclass(frozen=True, slots=True)
class EventPacket:
    """Events in order. `number`: of the first; `body`: the texts as they stand in the message."""

    origin: Origin
    number: int
    count: int
    body: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Mark:
    """`number` is that of the last event up to now."""

    origin: Origin
    number: int


def encode_events(origin: Origin, number: int, count: int, body: bytes) -> bytes:
    """The message for `count` texts in `body`, the first of which has this number."""
    return _encode(EVENTS, origin, number, count) + body


def encode_mark(origin: Origin, number: int) -> bytes:
    """The message that says so."""
    return _encode(MARK, origin, number, 0)


def encode_texts(texts: Sequence[bytes]) -> bytes:
    """Texts as they stand in a packet."""
    return b"".join(len(text).to_bytes(4, "big") + text for text in texts)


def split_texts(body: bytes) -> list[bytes]:
    """The texts of a packet that was read."""
    texts, begin = [], 0
    while begin < len(body):
        end = begin + 4 + int.from_bytes(body[begin : begin + 4], "big")
        texts.append(body[begin + 4 : end])
        begin = end
    return texts


def read_packet(message: bytes) -> EventPacket | Mark | PacketFault:
    """A message of a group's channel, which anybody may have written. Sizes are checked; whether it is UTF-8 is not."""
    if len(message) < HEADER_BYTES:
        return PacketFault.NO_PACKET
    magic, version, kind, redis, publisher, epoch, number, count = _HEADER.unpack_from(message)
    if magic != MAGIC:
        return PacketFault.NO_PACKET
    if version != VERSION:
        return PacketFault.OTHER_VERSION
    if epoch > MOST_NUMBER or number + count > MOST_NUMBER:
        return PacketFault.NUMBERS
    origin = Origin(redis.hex(), publisher.hex(), epoch)
    if kind == MARK:
        return Mark(origin, number) if len(message) == HEADER_BYTES and not count else PacketFault.SIZES
    if kind != EVENTS:
        return PacketFault.OTHER_KIND
    body = message[HEADER_BYTES:]
    return EventPacket(origin, number, count, body) if number and _has_texts(body, count) else PacketFault.SIZES


def _encode(kind: int, origin: Origin, number: int, count: int) -> bytes:
    redis, publisher = bytes.fromhex(origin.redis), bytes.fromhex(origin.publisher)
    return _HEADER.pack(MAGIC, VERSION, kind, redis, publisher, origin.epoch, number, count)


def _has_texts(body: bytes, count: int) -> bool:
    """Whether they are as many, at least one, and end where the body does."""
    begin = 0
    for _ in range(count):
        if begin + 4 > len(body):
            return False
        begin += 4 + int.from_bytes(body[begin : begin + 4], "big")
    return count > 0 and begin == len(body)
