"""Websocket frames, both ways."""

import pytest
from awxfast._rust import FrameDecoder, encode_text_frame

from guard.comparison import Compare
from guard.samples import apply_mask, event_text, masked_frame

COMMAND = b'{"groups": {"job_events": [4711], "jobs": ["status_changed", "summary"], "control": ["limit_reached_7"]}}'
MASK = b"\x17\x2a\x99\xc4"


@pytest.mark.parametrize("size", [1024, 65_000])
def test_frame_encode(compare: Compare, size: int) -> None:
    payload = event_text(size).encode()
    head = b"\x81\x7e" + size.to_bytes(2, "big")
    assert encode_text_frame(payload) == head + payload
    compare(lambda: encode_text_frame(payload), lambda: head + payload)


def test_frame_decode(compare: Compare) -> None:
    decoder = FrameDecoder(0, 0)
    frame = masked_frame(COMMAND, MASK)
    assert decoder.receive(frame) == [(1, COMMAND)]
    masked = frame[6:]
    compare(lambda: decoder.receive(frame), lambda: apply_mask(masked, MASK).decode())
