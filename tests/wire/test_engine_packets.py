"""Packets of an engine: the bytes as they are laid out, and what is refused."""

import struct

import pytest
from awxfast.wire.engine_packets import (
    HEADER_BYTES,
    MOST_NUMBER,
    EventPacket,
    Mark,
    Origin,
    PacketFault,
    encode_events,
    encode_mark,
    encode_texts,
    read_packet,
    split_texts,
)

ORIGIN = Origin("0123456789abcdef" * 2, "00112233445566ff", 1_700_000_000_000_000)
BODY = b"\x00\x00\x00\x02{}\x00\x00\x00\x01x"
PACKET = (
    b"AX\x01\x01"
    + bytes.fromhex(ORIGIN.redis)
    + bytes.fromhex(ORIGIN.publisher)
    + struct.pack(">QQH", ORIGIN.epoch, 7, 2)
    + BODY
)


class TestWrites:
    def test_events_stand_behind_who_counts_them_and_from_where(self) -> None:
        assert encode_events(ORIGIN, 7, 2, encode_texts([b"{}", b"x"])) == PACKET

    def test_mark_is_a_header_alone(self) -> None:
        assert encode_mark(ORIGIN, 8) == b"AX\x01\x02" + PACKET[4:28] + struct.pack(">QQH", ORIGIN.epoch, 8, 0)


class TestReads:
    def test_events_come_back(self) -> None:
        packet = read_packet(PACKET)
        assert packet == EventPacket(ORIGIN, 7, 2, BODY)
        assert isinstance(packet, EventPacket)
        assert split_texts(packet.body) == [b"{}", b"x"]

    def test_mark_comes_back(self) -> None:
        assert read_packet(encode_mark(ORIGIN, 8)) == Mark(ORIGIN, 8)

    def test_empty_text_is_an_event(self) -> None:
        assert split_texts(encode_texts([b"", b""])) == [b"", b""]
        assert isinstance(read_packet(encode_events(ORIGIN, 1, 2, encode_texts([b"", b""]))), EventPacket)


class TestRefuses:
    @pytest.mark.parametrize(
        ("message", "fault"),
        [
            (b"", PacketFault.NO_PACKET),
            (PACKET[: HEADER_BYTES - 1], PacketFault.NO_PACKET),
            (b"AY" + PACKET[2:], PacketFault.NO_PACKET),
            (b"AX\x02" + PACKET[3:], PacketFault.OTHER_VERSION),
            (b"AX\x01\x03" + PACKET[4:], PacketFault.OTHER_KIND),
            (PACKET[:-1], PacketFault.SIZES),
            (PACKET + b"x", PacketFault.SIZES),
            (encode_events(ORIGIN, 7, 1, BODY), PacketFault.SIZES),
            (encode_events(ORIGIN, 7, 3, BODY), PacketFault.SIZES),
            (encode_events(ORIGIN, 7, 0, b""), PacketFault.SIZES),
            (encode_events(ORIGIN, 0, 2, BODY), PacketFault.SIZES),
            (encode_events(ORIGIN, 7, 1, b"\xff\xff\xff\xffx"), PacketFault.SIZES),
            (encode_mark(ORIGIN, 8) + b"x", PacketFault.SIZES),
            (encode_events(ORIGIN, 2**64 - 1, 2, BODY), PacketFault.NUMBERS),
            (encode_events(ORIGIN, MOST_NUMBER - 1, 2, BODY), PacketFault.NUMBERS),
            (encode_mark(ORIGIN, 2**64 - 1), PacketFault.NUMBERS),
            (encode_mark(Origin(ORIGIN.redis, ORIGIN.publisher, 2**64 - 1), 8), PacketFault.NUMBERS),
        ],
    )
    def test_what_is_not_laid_out_so(self, message: bytes, fault: PacketFault) -> None:
        assert read_packet(message) is fault
