"""Packets as a publisher makes them."""

from awxfast.wire.engine_packets import Origin, encode_events, encode_mark, encode_texts

REDIS = "a" * 32
PUBLISHER = "b" * 16
ORIGIN = Origin(REDIS, PUBLISHER, 1_000)


def packet(number: int, *texts: str, origin: Origin = ORIGIN) -> bytes:
    """Events, the first of which has this number."""
    return encode_events(origin, number, len(texts), encode_texts([text.encode() for text in texts]))


def mark(number: int, origin: Origin = ORIGIN) -> bytes:
    """There were so many up to now."""
    return encode_mark(origin, number)
