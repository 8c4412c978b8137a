"""Where heads end, however the stream is cut into segments."""

import itertools

import pytest
from awxfast.wire.heads import (
    BODY_PIECE,
    CHUNKED,
    INVALID_VALUE,
    HeadFinder,
    find_body_length,
    hide_upgrade,
    is_plain,
)
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
                    finder.begin_body(0)
                    finder.begin_head()
        assert ends == [len(HEAD) * n for n in (1, 2, 3)]
        assert sizes == [len(HEAD)] * 3


class TestCompleting:
    def test_head_in_one_piece_is_whole(self) -> None:
        assert HeadFinder().complete(HEAD) == HEAD

    def test_head_in_many_pieces_comes_with_the_last(self) -> None:
        finder = HeadFinder()
        assert [finder.complete(HEAD[at : at + 1]) for at in range(len(HEAD))][-2:] == [b"", HEAD]
        assert finder.complete(HEAD) == HEAD


CHUNKS = b"4\r\n\r\n\r\n\r\n1;x=y\r\na\r\n0\r\nX: y\r\n\r\n"


class TestBodies:
    def test_body_comes_in_pieces_of_bounded_size(self) -> None:
        finder = HeadFinder()
        finder.begin_body(BODY_PIECE * 2)
        assert finder.find_piece_end(bytes(BODY_PIECE * 2), 0) == BODY_PIECE
        assert finder.size == 0

    def test_piece_never_goes_on_behind_the_last_byte_of_a_body(self) -> None:
        finder = HeadFinder()
        finder.begin_body(6)
        assert finder.find_piece_end(b"abcd", 0) == 4
        assert finder.find_piece_end(b"ef" + HEAD, 0) == 2
        finder.begin_head()
        assert finder.find_piece_end(b"ef" + HEAD, 2) == 2 + len(HEAD)

    @given(st.lists(st.integers(0, len(CHUNKS)), max_size=6))
    def test_some_piece_ends_where_the_last_chunk_does(self, cuts: list[int]) -> None:
        bounds = [0, *sorted(cuts), len(CHUNKS)]
        finder, ends = HeadFinder(), []
        finder.begin_body(CHUNKED)
        for low, high in itertools.pairwise(bounds):
            segment, position = CHUNKS[low:high] + (HEAD if high == len(CHUNKS) else b""), 0
            while position < len(segment) and len(CHUNKS) not in ends:
                position = finder.find_piece_end(segment, position)
                ends.append(low + position)
        assert len(CHUNKS) in ends

    def test_what_stands_between_chunks_is_counted(self) -> None:
        finder = HeadFinder()
        finder.begin_body(CHUNKED)
        finder.find_piece_end(b"0\r\nX: " + b"y" * 100, 0)
        finder.find_piece_end(b"y" * 100, 0)
        assert finder.size == 206

    def test_count_begins_behind_the_last_content(self) -> None:
        finder = HeadFinder()
        finder.begin_body(CHUNKED)
        piece = b"3\r\nabc\r\n0\r\nX: y"
        finder.find_piece_end(piece, 0)
        finder.count_behind(piece, b"abc")
        finder.find_piece_end(b"yyy", 0)
        assert finder.size == len(b"\r\n0\r\nX: yyyy")


class TestLengths:
    @pytest.mark.parametrize(
        ("version", "headers", "length"),
        [
            ("1.1", [], 0),
            ("1.1", [(b"content-length", b"0")], 0),
            ("1.1", [(b"content-length", b"19 ")], 19),
            ("1.0", [(b"content-length", b"19")], 19),
            ("1.1", [(b"transfer-encoding", b"chunked")], CHUNKED),
            ("1.1", [(b"transfer-encoding", b"Chunked\t")], CHUNKED),
            ("1.0", [(b"transfer-encoding", b"chunked")], None),
            ("1.1", [(b"transfer-encoding", b"x, chunked")], None),
            ("1.1", [(b"transfer-encoding", b"identity")], None),
            ("1.1", [(b"transfer-encoding", b"")], None),
            ("1.1", [(b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")], None),
            ("1.1", [(b"transfer-encoding", b"chunked"), (b"content-length", b"3")], None),
            ("1.1", [(b"content-length", b"3"), (b"content-length", b"3")], None),
            ("1.1", [(b"content-length", b"3, 3")], None),
            ("1.1", [(b"content-length", b"+3")], None),
            ("1.1", [(b"content-length", b"-3")], None),
            ("1.1", [(b"content-length", b"0x3")], None),
            ("1.1", [(b"content-length", b"")], None),
            ("1.1", [(b"content-length", b"9" * 5000)], None),
            ("1.1", [(b"content-length", "\u0663".encode())], None),
        ],
    )
    def test_only_one_plain_length_or_chunks_of_http_1_1_are_taken(
        self, version: str, headers: list[tuple[bytes, bytes]], length: int | None
    ) -> None:
        assert find_body_length(version, [(b"host", b"a"), *headers]) == length


class TestHiding:
    @pytest.mark.parametrize("name", [b"Upgrade", b"upgrade", b"UPGRADE", b"uPgRaDe"])
    def test_upgrade_has_a_name_that_no_client_can_give(self, name: bytes) -> None:
        head = b"GET / HTTP/1.1\r\n" + name + b": x\r\nUPGRAD_: y\r\nUpgrade: z\r\n\r\n"
        assert hide_upgrade(head) == b"GET / HTTP/1.1\r\nupgrad_: x\r\na_name: y\r\nupgrad_: z\r\n\r\n"

    def test_all_else_stays(self) -> None:
        head = b"GET /?Upgrade: HTTP/1.1\r\nUpgrade-Insecure-Requests: 1\r\nX-Upgrade: a\r\nX: upgrade: a\r\n\r\n"
        assert hide_upgrade(head) == head


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
