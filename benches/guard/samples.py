"""What is measured with: texts, queue entries and frames as producers and browsers send them."""

import msgpack

GROUP = "job_events-4711"
CHANNEL = f"asgi.benchmark!g.{GROUP}"
RANDOM_PREFIX = b"twelve bytes"
"""channels_redis puts so many random bytes before each entry."""

_HEAD = (
    '{"id": 4711, "job": 42, "created": "2026-11-24T23:08:19.680331+00:00", "group_name": "job_events", "event": '
    '"runner_on_ok", "event_data": {"host": "web-1.example.org", "task": "ping"}, "failed": false, "stdout": "'
)
_LINE = "\\u001b[0;32mok: [web-1.example.org]\\u001b[0m "
_TAIL = '"}'


def event_text(size: int) -> str:
    """JSON of so many bytes, with AWX's keys and coloured output; at least 256."""
    room = size - len(_HEAD) - len(_TAIL)
    return _HEAD + (_LINE * (room // len(_LINE))).ljust(room, ".") + _TAIL


def queue_entry(text: str, channel: str = CHANNEL, prefix: bytes = RANDOM_PREFIX) -> bytes:
    """The entry that `group_send` leaves in the queue of a process."""
    message = {"type": "internal.message", "text": text, "needs_relay": True}
    packed: bytes = msgpack.packb({**message, "__asgi_channel__": [channel]})
    return prefix + packed


def masked_frame(payload: bytes, mask: bytes = b"\x17\x2a\x99\xc4") -> bytes:
    """A text frame of at most 65535 bytes as a browser sends it (RFC 6455 section 5.3)."""
    length = len(payload)
    head = bytes([0x81, 0x80 | length]) if length < 126 else bytes([0x81, 0xFE]) + length.to_bytes(2, "big")
    return head + mask + apply_mask(payload, mask)


def apply_mask(payload: bytes, mask: bytes) -> bytes:
    """The XOR of RFC 6455 section 5.3, as plain Python does it fastest."""
    pattern = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(pattern, "big")).to_bytes(len(payload), "big")
