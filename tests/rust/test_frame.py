"""Websocket frames against the sans-I/O core of websockets."""

import codecs
import itertools
from functools import partial

import pytest
from awxfast._rust import FrameDecoder, encode_text_frame
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side

TEXT, BINARY, CLOSE = 1, 2, 8

Messages = list[tuple[int, bytes]]
Outcome = tuple[Messages, int]


def masked_frame(first: int, payload: bytes, mask: bytes = b"\x37\xfa\x21\x3d") -> bytes:
    """What a client sends, with any first byte: `Frame` of websockets refuses to write what is wrong."""
    if len(payload) < 126:
        length = bytes([0x80 | len(payload)])
    elif len(payload) < 65536:
        length = bytes([0x80 | 126]) + len(payload).to_bytes(2)
    else:
        length = bytes([0x80 | 127]) + len(payload).to_bytes(8)
    return bytes([first]) + length + mask + bytes(a ^ b for a, b in zip(payload, itertools.cycle(mask), strict=False))


def fragmented(opcode: int, payloads: list[bytes]) -> bytes:
    firsts = [opcode] + [Opcode.CONT] * (len(payloads) - 1)
    firsts[-1] |= 0x80
    return b"".join(map(masked_frame, firsts, payloads))


def frames_by_hand(stream: bytes, max_message: int, max_frame: int) -> tuple[list[Frame], int]:
    """The frames that websockets finds, and the close code that it fails the connection with."""
    protocol = Protocol(Side.SERVER, max_size=(max_message or None, max_frame or None))
    protocol.receive_data(stream)
    frames = protocol.events_received()
    match protocol.parser_exc:
        case None:
            return frames, 0
        case ProtocolError() as error if str(error) == "incomplete fragmented message":
            # RFC 6455 section 5.4 lets any control frame come between fragments; websockets takes no close there.
            assert protocol.close_rcvd is not None
            payload = b"" if protocol.close_rcvd.code == 1005 else protocol.close_rcvd.serialize()
            return [*frames, Frame(Opcode.CLOSE, payload)], 0
        case PayloadTooBig():
            return frames, 1009
        case UnicodeDecodeError():
            return frames, 1007
        case _:
            return frames, 1002


def decode_by_hand(stream: bytes, max_message: int = 0, max_frame: int = 0) -> Outcome:
    frames, failure = frames_by_hand(stream, max_message, max_frame)
    messages: Messages = []
    opcode, parts, utf8 = Opcode.CONT, list[bytes](), codecs.getincrementaldecoder("utf-8")()
    for frame in frames:
        if frame.opcode in (Opcode.PING, Opcode.PONG):
            continue
        if frame.opcode is Opcode.CLOSE:
            messages.append((CLOSE, bytes(frame.data)))
            continue
        if frame.opcode is not Opcode.CONT:
            opcode, parts, utf8 = frame.opcode, [], codecs.getincrementaldecoder("utf-8")()
        parts.append(bytes(frame.data))
        try:
            if opcode is Opcode.TEXT:
                utf8.decode(parts[-1], final=frame.fin)
        except UnicodeDecodeError:
            return messages, 1007
        if frame.fin:
            messages.append((int(opcode), b"".join(parts)))
    return messages, failure


def answer_by_hand(stream: bytes) -> bytes:
    """The PONGs that websockets' frames ask for."""
    pings = [frame for frame in frames_by_hand(stream, 0, 0)[0] if frame.opcode is Opcode.PING]
    return b"".join(Frame(Opcode.PONG, ping.data).serialize(mask=False) for ping in pings)


def receive(decoder: FrameDecoder, piece: bytes) -> Messages:
    messages = decoder.receive(piece)
    while decoder.has_unread:
        messages += decoder.receive(b"")
    return messages


def decode(pieces: list[bytes], max_message: int = 0, max_frame: int = 0) -> Outcome:
    decoder = FrameDecoder(max_message, max_frame, turn_messages=2)
    messages = [message for piece in pieces for message in receive(decoder, piece)]
    assert bool(decoder.failure) == bool(decoder.failure_reason)
    return messages, decoder.failure


def split(stream: bytes, sizes: list[int]) -> list[bytes]:
    ends = list(itertools.takewhile(lambda end: end < len(stream), itertools.accumulate(sizes)))
    return [stream[start:end] for start, end in itertools.pairwise([0, *ends, len(stream)])]


def close_payload(code: int, reason: bytes) -> bytes:
    return code.to_bytes(2) + reason


masks = st.binary(min_size=4, max_size=4)
data_payloads = st.text(max_size=40).map(str.encode) | st.binary(max_size=200)
long_payloads = st.sampled_from([125, 126, 127, 300, 65535, 65536]).map(lambda length: b"x" * length)
data_frames = st.builds(
    masked_frame, st.sampled_from([0x00, 0x01, 0x02, 0x80, 0x81, 0x82]), data_payloads | long_payloads, masks
)
control_frames = st.builds(masked_frame, st.sampled_from([0x89, 0x8A]), st.binary(max_size=125), masks)
close_frames = st.builds(
    masked_frame,
    st.just(0x88),
    st.builds(close_payload, st.integers(990, 1020) | st.integers(0, 65535), data_payloads.map(lambda data: data[:123]))
    | st.binary(max_size=2),
    masks,
)
odd_frames = st.builds(masked_frame, st.integers(0, 255), st.binary(max_size=200), masks)
streams = st.lists(data_frames | data_frames | control_frames | close_frames | odd_frames, max_size=8).map(b"".join)
fragmented_messages = st.lists(st.binary(max_size=200), min_size=1, max_size=4).map(partial(fragmented, Opcode.BINARY))
utf8_messages = st.lists(st.binary(max_size=6) | st.text(max_size=3).map(str.encode), min_size=1, max_size=6).map(
    partial(fragmented, Opcode.TEXT)
)


class TestTextFrame:
    @given(st.binary(max_size=300))
    def test_websockets_writes_the_same(self, payload: bytes) -> None:
        assert encode_text_frame(payload) == Frame(Opcode.TEXT, payload).serialize(mask=False)

    @pytest.mark.parametrize("length", [0, 125, 126, 127, 65535, 65536, 70000])
    def test_length_takes_its_shortest_form(self, length: int) -> None:
        payload = b"x" * length
        assert encode_text_frame(payload) == Frame(Opcode.TEXT, payload).serialize(mask=False)


class TestDecoder:
    @given(streams)
    def test_websockets_reads_the_same(self, stream: bytes) -> None:
        assert decode([stream]) == decode_by_hand(stream)

    @given(streams, st.lists(st.integers(1, 50), max_size=50))
    def test_pieces_make_no_difference(self, stream: bytes, sizes: list[int]) -> None:
        assert decode(split(stream, sizes)) == decode([stream])

    @given(st.lists(fragmented_messages, max_size=4), st.integers(1, 400), st.integers(1, 400))
    def test_limits_are_those_of_websockets(self, messages: list[bytes], max_message: int, max_frame: int) -> None:
        stream = b"".join(messages)
        assert decode([stream], max_message, max_frame) == decode_by_hand(stream, max_message, max_frame)

    @given(utf8_messages)
    def test_text_is_checked_across_fragments(self, stream: bytes) -> None:
        assert decode([stream]) == decode_by_hand(stream)

    @given(st.binary(max_size=300))
    def test_any_bytes_raise_nothing(self, data: bytes) -> None:
        decode([data])

    def test_every_split_in_two_gives_the_same(self) -> None:
        frames = [(0x01, "é".encode()[:1]), (0x89, b"?"), (0x80, "é".encode()[1:]), (0x82, bytes(126)), (0x88, b"")]
        stream = b"".join(itertools.starmap(masked_frame, frames))
        expected = ([(TEXT, "é".encode()), (BINARY, bytes(126)), (CLOSE, b"")], 0)
        for end in range(len(stream) + 1):
            assert decode([stream[:end], stream[end:]]) == expected


class TestTexts:
    def test_they_are_str_for_who_wants_that_and_all_else_is_bytes(self) -> None:
        text = "déjà vu 🤖"
        half = len(text.encode()) // 2
        stream = b"".join(
            (
                masked_frame(0x01, text.encode()[:half]),
                masked_frame(0x80, text.encode()[half:]),
                masked_frame(0x82, b"\xff"),
                masked_frame(0x81, b""),
                masked_frame(0x88, b"\x03\xe8bye"),
            )
        )
        assert FrameDecoder(0, 0, as_str=True).receive(stream) == [
            (1, text),
            (2, b"\xff"),
            (1, ""),
            (8, b"\x03\xe8bye"),
        ]

    def test_what_is_no_utf_8_fails_as_for_all(self) -> None:
        decoder = FrameDecoder(0, 0, as_str=True)
        assert decoder.receive(masked_frame(0x81, b"\xed\xa0\x80")) == []
        assert decoder.failure == 1007


class TestPings:
    @given(st.lists(data_frames | control_frames, max_size=8).map(b"".join))
    def test_answers_are_those_to_websockets_pings(self, stream: bytes) -> None:
        decoder = FrameDecoder(0, 0)
        receive(decoder, stream)
        answers = decoder.take_pongs()
        assert decoder.failure or answers == answer_by_hand(stream)
        assert decoder.take_pongs() == b""

    def test_64_answers_wait_and_the_last_is_the_newest(self) -> None:
        decoder = FrameDecoder(0, 0)
        receive(decoder, b"".join(masked_frame(0x89, number.to_bytes(2)) for number in range(10_000)))
        payloads = decoder.take_pongs().split(b"\x8a")[1:]
        assert payloads == [b"\2" + number.to_bytes(2) for number in [*range(63), 9_999]]


class TestBudget:
    def test_a_call_gives_at_most_a_turns_messages(self) -> None:
        decoder = FrameDecoder(0, 0, turn_messages=10)
        stream = b"".join(masked_frame(0x82, number.to_bytes(2)) for number in range(25))
        turns = [decoder.receive(stream)]
        while decoder.has_unread:
            turns.append(decoder.receive(b""))
        assert [len(turn) for turn in turns] == [10, 10, 5]
        assert [int.from_bytes(payload) for turn in turns for _, payload in turn] == list(range(25))

    @pytest.mark.parametrize("first", [0x89, 0x8A])
    def test_a_call_takes_at_most_4096_frames(self, first: int) -> None:
        decoder = FrameDecoder(0, 0)
        assert decoder.receive(masked_frame(first, b"") * 4096) == []
        assert not decoder.has_unread
        assert decoder.receive(masked_frame(first, b"") * 4097) == []
        assert decoder.has_unread

    def test_bytes_behind_what_is_unread_come_after_it(self) -> None:
        decoder = FrameDecoder(0, 0, turn_messages=1)
        frames = [masked_frame(0x82, bytes([number])) for number in range(4)]
        first = decoder.receive(frames[0] + frames[1] + frames[2][:3])
        assert first + receive(decoder, frames[2][3:] + frames[3]) == [(BINARY, bytes([n])) for n in range(4)]

    def test_message_of_1025_fragments_fails_with_1009(self) -> None:
        assert decode([fragmented(Opcode.TEXT, [b""] * 1024)]) == ([(TEXT, b"")], 0)
        assert decode([fragmented(Opcode.TEXT, [b""] * 1025)]) == ([], 1009)

    def test_while_closing_only_a_close_is_found(self) -> None:
        decoder = FrameDecoder(0, 0)
        decoder.receive(masked_frame(0x81, b"the beginning of it")[:10])
        decoder.expect_close()
        stream = masked_frame(0x81, b"the beginning of it")[10:] + masked_frame(0x89, b"?") + masked_frame(0x82, b"x")
        assert decoder.receive(stream + masked_frame(0x88, b"")) == [(CLOSE, b"")]
        assert decoder.take_pongs() == b""


class TestFailures:
    def test_unmasked_frame_fails_with_a_reason(self) -> None:
        decoder = FrameDecoder(0, 0)
        assert decoder.receive(encode_text_frame(b"x")) == []
        assert (decoder.failure, decoder.failure_reason) == (1002, "unmasked frame")

    def test_nothing_is_received_after_a_failure(self) -> None:
        good = masked_frame(0x81, b"x")
        assert decode([good + masked_frame(0x83, b"") + good, good]) == ([(TEXT, b"x")], 1002)

    def test_nothing_is_received_after_a_close(self) -> None:
        assert decode([masked_frame(0x88, b"") + masked_frame(0x81, b"x"), b"\xff"]) == ([(CLOSE, b"")], 0)

    @pytest.mark.parametrize("header", [b"\x81\xfe\x00\x7d", b"\x81\xff" + (65535).to_bytes(8)])
    def test_longer_form_than_needed_fails(self, header: bytes) -> None:
        """RFC 6455 section 5.2 demands the shortest; websockets does not look."""
        assert decode([header])[1] == 1002

    def test_length_of_64_bits_fails(self) -> None:
        assert decode([b"\x81\xff" + (2**63).to_bytes(8)])[1] == 1002


class TestLimits:
    MIB = 1 << 20

    @pytest.mark.parametrize(("length", "failure"), [(MIB, 0), (MIB + 1, 1009)])
    def test_one_frame_may_have_exactly_the_limit(self, length: int, failure: int) -> None:
        assert decode([masked_frame(0x82, bytes(length))], self.MIB, self.MIB)[1] == failure

    def test_33rd_fragment_of_32_kib_is_too_much_for_a_mebibyte(self) -> None:
        fragments = [masked_frame(0x02, bytes(32768))] + [masked_frame(0x00, bytes(32768))] * 31
        assert decode(fragments, self.MIB) == ([], 0)
        assert decode([*fragments, masked_frame(0x80, b"")], self.MIB) == ([(BINARY, bytes(self.MIB))], 0)
        assert decode([*fragments, masked_frame(0x80, b"x")], self.MIB) == ([], 1009)

    def test_header_of_2_to_the_62_fails_by_itself(self) -> None:
        assert decode([b"\x82\xff" + (2**62).to_bytes(8)], self.MIB) == ([], 1009)

    def test_header_of_2_to_the_62_waits_when_there_is_no_limit(self) -> None:
        assert decode([b"\x82\xff" + (2**62).to_bytes(8) + bytes(100)]) == ([], 0)
