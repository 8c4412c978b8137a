"""Where heads end, however the stream is cut into segments."""

import itertools

import pytest
from awxfast.wire.heads import BODY_PIECE, INVALID_VALUE, HeadFinder, is_plain
from hypothesis import given
from hypothesis import strategies as st

HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class TestHeads:
    def test_piece_ends_behind_the_empty_line(self) -> None:
        finder = HeadFinder()
        assert finder.find_piece_end(HEAD + b"body", 0) == len(HEAD)
        assert finder.size == len(HEAD)

    def test_head_without_an_end_is_one_piece(self) -> None:
        finder = HeadFinder()
        assert finder.find_piece_end(HEAD[:-1], 0) == len(HEAD) - 1
        assert finder.size == len(HEAD) - 1

    def test_piece_begins_where_it_is_told(self) -> None:
        assert HeadFinder().find_piece_end(HEAD + HEAD + HEAD, len(HEAD)) == 2 * len(HEAD)

    @given(st.lists(st.integers(0, 3 * len(HEAD)), max_size=6))
    def test_every_cut_of_the_stream_gives_the_same_heads(self, cuts: list[int]) -> None:
        stream = HEAD * 3
        bounds = [0, *sorted(cuts), len(stream)]
        finder, at, ends, sizes = HeadFinder(), 0, [], []
        for low, high in itertools.pairwise(bounds):
            segment, position = stream[low:high], 0
            while position < len(segment):
                position = finder.find_piece_end(segment, position)
                at = low + position
                if stream[:at].endswith(b"\r\n\r\n"):
                    ends.append(at)
                    sizes.append(finder.size)
                    finder.begin_body()
                    finder.begin_head()
        assert ends == [len(HEAD) * n for n in (1, 2, 3)]
        assert sizes == [len(HEAD)] * 3


class TestBodies:
    def test_body_comes_in_pieces_of_bounded_size(self) -> None:
        finder = HeadFinder()
        finder.begin_body()
        assert finder.find_piece_end(bytes(BODY_PIECE * 2), 0) == BODY_PIECE
        assert finder.size == 0

    def test_head_that_began_behind_a_body_is_found(self) -> None:
        finder = HeadFinder()
        finder.begin_body()
        first, second = b"body" + HEAD[:-2], HEAD[-2:] + HEAD
        assert finder.find_piece_end(first, 0) == len(first)
        finder.begin_head()
        assert finder.find_piece_end(second, 0) == 2


class TestPlain:
    def test_usual_head_is_plain(self) -> None:
        assert is_plain(b"GET /a HTTP/1.1\r\nHost: a\r\nX: \xc3\xa9\tb\r\n\r\n")

    @pytest.mark.parametrize("byte", range(256))
    def test_every_byte_that_a_value_may_not_have_is_seen(self, byte: int) -> None:
        head = b"GET /a HTTP/1.1\r\nX: a%cb\r\n\r\n" % byte
        assert is_plain(head) is not bool(INVALID_VALUE.search(bytes([byte])))

    @pytest.mark.parametrize("fold", [b"\r\n b", b"\r\n\tb", b"\n b", b"\r b"])
    def test_value_that_goes_on_in_the_next_line_is_not_plain(self, fold: bytes) -> None:
        assert not is_plain(b"GET /a HTTP/1.1\r\nX: a" + fold + b"\r\n\r\n")

    @given(st.binary(max_size=40))
    def test_plain_piece_has_no_value_that_is_refused(self, text: bytes) -> None:
        if is_plain(text):
            assert not any(INVALID_VALUE.search(line) for line in text.split(b"\r\n"))
