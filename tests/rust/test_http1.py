"""The reader of requests: known ways to smuggle, and what other readers make of the same bytes."""

import dataclasses
import json
import urllib.parse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from awxfast._rust import RequestHead, RequestReader, RequestRefusal
from http_oracles import Asked, Reading, keep_headers, read_with_h11, read_with_httptools
from hypothesis import example, given, settings
from hypothesis import strategies as st

FILE = Path(__file__).resolve().parents[1] / "vectors" / "http1-vectors.json"
VECTORS: list[dict[str, Any]] = json.loads(FILE.read_text())
ORACLES = [read_with_h11, read_with_httptools]
MAX_HEAD = 65_536

RULES = {
    "request line": "RFC 9112 section 3: one space between method, target and version",
    "version": "RFC 9110 section 15.6.6: 1.0 and 1.1 are spoken here",
    "connect": "RFC 9112 section 3.2.3: for proxies",
    "target": "RFC 9112 section 3.2: a path, a whole http URI, `*` for OPTIONS; no fragment, ASCII",
    "bare line feed": "RFC 9112 section 2.2: a line ends with both; a recipient may, and so need not, take one",
    "header name": "RFC 9112 sections 5, 5.1, 5.2: a token, no blank before the colon, no folded line",
    "header value": "RFC 9110 section 5.5: no control bytes, a bare carriage return among them",
    "head size": "RFC 6585 section 5",
    "header lines": "RFC 6585 section 5",
    "no host": "RFC 9112 section 3.2",
    "several hosts": "RFC 9112 section 3.2",
    "host": "RFC 9112 section 3.2: host and port of RFC 3986",
    "both lengths": "RFC 9112 section 6.1: a server may refuse them",
    "content length": "RFC 9112 section 6.3, point 5: digits; a server may refuse a list of equals",
    "transfer encoding": "RFC 9112 sections 6.1, 6.3: chunked, once, in HTTP/1.1",
    "websocket body": "RFC 6455 section 4.1: a handshake has none",
    "chunk size": "RFC 9112 section 7.1: hexadecimal digits, without overflow",
    "chunk line": "RFC 9112 section 7.1.1: an extension begins with `;`",
    "chunk line size": "RFC 9112 section 7.1.1: a server ought to limit extensions",
    "chunk end": "RFC 9112 section 7.1: both line end bytes behind the data",
    "trailer": "RFC 9112 section 7.1.2: lines as in a head",
    "trailer size": "RFC 6585 section 5",
}
"""What is refused, and by which rule."""
LIMITS = {"head size", "header lines", "chunk line size"}


def read(pieces: Iterable[bytes], reader: RequestReader | None = None) -> Reading:
    """The whole requests, each answered at once."""
    reader = reader or RequestReader(MAX_HEAD)
    requests: list[Asked] = []
    refusal = None
    head, body = None, b""
    for piece in pieces:
        data = piece
        while events := reader.receive(data):
            data = b""
            for event in events:
                assert refusal is None
                match event:
                    case RequestHead():
                        assert head is None
                        head, body = event, b""
                    case bytes():
                        assert head is not None and event
                        body += event
                    case None:
                        assert head is not None
                        requests.append(Asked(head.method, head.target, tuple(head.headers), body))
                        last, head = head, None
                    case RequestRefusal():
                        refusal = event
    if refusal is not None:
        return Reading(requests, "refuses", refusal.reason)
    return Reading(requests, "stops" if requests and head is None and not last.keeps_alive else "waits")


def every_split(data: bytes) -> Iterable[list[bytes]]:
    yield [data[at : at + 1] for at in range(len(data))]
    for at in range(1, len(data)):
        yield [data[:at], data[at:]]


def assert_oracles_agree(data: bytes, ours: Reading) -> None:
    """Who reads a request reads it as we do, and who waits for more has read as many."""
    for oracle in ORACLES:
        theirs = oracle(data)
        both = min(len(ours.requests), len(theirs.requests))
        assert list(map(comparable, ours.requests[:both])) == list(map(comparable, theirs.requests[:both]))
        assert len(ours.requests) <= both or theirs.end != "waits", (oracle, theirs)
        assert len(theirs.requests) <= both or ours.end != "waits", (oracle, theirs)


def comparable(asked: Asked) -> Asked:
    """With the host that counts, which the others leave to the application, and without the case of a coding."""
    is_uri = asked.target.lower().startswith((b"http://", b"https://"))
    host = urllib.parse.urlsplit(asked.target.decode("ascii")).netloc.encode() if is_uri else b""
    headers = []
    for name, value in asked.headers:
        if name == b"host" and is_uri:
            headers.append((name, host))
        else:
            headers.append((name, value.lower() if name == b"transfer-encoding" else value))
    return dataclasses.replace(asked, headers=tuple(headers))


class TestVectors:
    @pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
    def test_request_is_read_or_refused_by_the_rule(self, vector: dict[str, Any]) -> None:
        data = vector["sent"].encode("latin-1")
        reading = read([data])
        found = [(asked.method, asked.target.decode(), asked.body.decode("latin-1")) for asked in reading.requests]
        assert found == [(asked["method"], asked["target"], asked["body"]) for asked in vector["requests"]]
        assert reading.reason == (vector["refused"]["reason"] if vector["refused"] else "")
        if len(data) < 2000:
            assert all(read(pieces) == reading for pieces in every_split(data))
        assert_oracles_agree(data, reading)

    @pytest.mark.parametrize("vector", [vector for vector in VECTORS if vector["refused"]], ids=lambda v: v["name"])
    def test_status_is_the_rules(self, vector: dict[str, Any]) -> None:
        *_, refusal = refuse(vector["sent"].encode("latin-1"))
        assert refusal.status == vector["refused"]["status"]

    def test_each_refusal_has_its_rule_and_its_vector(self) -> None:
        assert {vector["refused"]["reason"] for vector in VECTORS if vector["refused"]} == set(RULES) - LIMITS


def refuse(data: bytes, reader: RequestReader | None = None) -> list[RequestRefusal]:
    """The refusals of all that `data` is."""
    reader = reader or RequestReader(MAX_HEAD)
    refusals = []
    while events := reader.receive(data):
        refusals += [event for event in events if isinstance(event, RequestRefusal)]
        data = b""
    return refusals


def join(*parts: bytes) -> bytes:
    return b"".join(parts)


blanks = st.sampled_from([b"", b" ", b" ", b"\t", b"  "])
methods = st.sampled_from([b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"DELETE", b"PATCH", b"CONNECT"])
targets = st.sampled_from(
    [
        b"/",
        b"/a",
        b"/a?b=%20",
        b"//a",
        b"http://b.example/a?b",
        b"http://b",
        b"*",
        b"/" + b"c" * 30,
        b"a",
        b"/\xff",
        b"/#",
    ]
)
versions = st.sampled_from([b"HTTP/1.1"] * 8 + [b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0"])
common_lines = st.builds(
    lambda name, before, value, behind: name + b":" + before + value + behind + b"\r\n",
    st.sampled_from([b"Host", b"Connection", b"Upgrade", b"Expect", b"X-Name", b"X_Name", b"Accept", b"TE", b"Cookie"]),
    blanks,
    st.sampled_from(
        [
            b"a",
            b"",
            b"close",
            b"keep-alive",
            b"upgrade, close",
            b"Upgrade",
            b"websocket",
            b"h2c",
            b"100-continue",
            b"a, b",
        ]
    ),
    blanks,
)
framing_lines = st.builds(
    join,
    st.sampled_from([b"Content-Length", b"content-length", b"Transfer-Encoding", b"Content_Length"]),
    st.sampled_from([b":", b": ", b":\t", b" :"]),
    st.sampled_from(
        [b"0", b"3", b"3", b"03", b"+3", b"3, 3", b"chunked", b"Chunked", b"chunked", b"identity", b"x, chunked"]
    ),
    st.sampled_from([b"\r\n"] * 8 + [b" \r\n", b"\n", b"\r\n "]),
)
chunk_lines = st.sampled_from(
    [b"3\r\nabc\r\n"] * 4 + [b"3;x=y\r\nabc\r\n", b"03\r\nabc\r\n", b"3 \r\nabc\r\n", b"4\r\nabc\r\n"]
)
chunked_bodies = st.builds(
    join,
    st.lists(chunk_lines, max_size=3).map(b"".join),
    st.sampled_from([b"0\r\n\r\n"] * 4 + [b"0\r\nX: y\r\n\r\n", b"00\r\n\r\n", b"0\r\n", b"0\n\n"]),
)
loose_requests = st.builds(
    lambda method, target, version, lines, body: (
        b"%s %s %s\r\n%s\r\n%s" % (method, target, version, b"".join(lines), body)
    ),
    methods,
    targets,
    versions,
    st.lists(common_lines | framing_lines, max_size=5),
    st.sampled_from([b"", b"abc", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"]) | chunked_bodies,
)
lines_of_sound_requests = st.lists(common_lines.filter(lambda line: not line.startswith(b"Host")), max_size=3).map(
    b"".join
)
sound_requests = st.builds(
    lambda method, target, lines, body: b"%s %s HTTP/1.1\r\nHost: a\r\n%s%s" % (method, target, lines, body),
    methods.filter(lambda method: method != b"CONNECT"),
    st.sampled_from([b"/", b"/a", b"/a?b=%20", b"//a", b"http://b.example/a?b"]),
    lines_of_sound_requests,
    st.sampled_from([b"\r\n", b"Content-Length: 3\r\n\r\nabc", b"Content-Length:0\r\n\r\n"])
    | chunked_bodies.map(lambda body: b"Transfer-Encoding: chunked\r\n\r\n" + body),
)
streams = st.lists(sound_requests | loose_requests, min_size=1, max_size=3).map(b"".join)
spots = st.floats(0, 1, exclude_max=True)
odd_bytes = st.sampled_from([bytes([byte]) for byte in b"\r\n \t:;,0123fxX/-_\0\x0b\x7f\x85\xa0"]) | st.binary(
    max_size=2
)
mutations = st.lists(st.tuples(spots, st.integers(0, 2), odd_bytes), max_size=3)


@st.composite
def mutated_streams(draw: st.DrawFn) -> bytes:
    """Requests with a few bytes put in, taken out or replaced."""
    stream = draw(streams)
    for spot, taken, put in draw(mutations):
        at = int(spot * len(stream))
        stream = stream[:at] + put + stream[at + taken :]
    return stream


def check_stream(stream: bytes) -> None:
    reading = read([stream])
    assert reading.reason in RULES or reading.end != "refuses"
    assert_oracles_agree(stream, reading)
    assert read(stream[at : at + 1] for at in range(len(stream))) == reading


class TestOracles:
    @given(streams)
    @settings(max_examples=300)
    def test_other_readers_read_the_same(self, stream: bytes) -> None:
        check_stream(stream)

    @given(mutated_streams())
    @settings(max_examples=300)
    @example(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    def test_other_readers_read_the_same_of_mutated_requests(self, stream: bytes) -> None:
        check_stream(stream)

    @pytest.mark.long
    @pytest.mark.timeout(1200)
    @given(mutated_streams())
    @settings(max_examples=100_000)
    def test_other_readers_read_the_same_of_very_many(self, stream: bytes) -> None:
        check_stream(stream)

    @given(lines_of_sound_requests)
    def test_sound_requests_are_read_by_all(self, lines: bytes) -> None:
        """That the comparison compares something."""
        stream = b"POST /a HTTP/1.1\r\nHost: a\r\n" + lines.replace(b"pgrade", b"x") + b"Content-Length: 3\r\n\r\nabc"
        readings = [read([stream]), *(oracle(stream) for oracle in ORACLES)]
        assert [len(reading.requests) for reading in readings] == [1, 1, 1]


HEAD = b"GET /a%20b?c HTTP/1.1\r\nHost: site.example\r\nX-Name: y \r\nX_Name: z\r\nx-name: y\r\n\r\n"


def read_head(data: bytes) -> RequestHead:
    head = RequestReader(MAX_HEAD).receive(data)[0]
    assert isinstance(head, RequestHead)
    return head


class TestHead:
    def test_head_has_what_a_scope_needs(self) -> None:
        head = read_head(HEAD)
        assert (head.method, head.version, head.target) == ("GET", "1.1", b"/a%20b?c")
        assert (head.path, head.raw_path, head.query) == ("/a b", b"/a%20b", b"c")
        assert head.headers == [(b"host", b"site.example"), (b"x-name", b"y"), (b"x-name", b"y")]
        assert (head.content_length, head.keeps_alive, head.expects_continue) == (0, True, False)
        assert not head.offers_websocket

    def test_headers_are_made_once(self) -> None:
        head = read_head(HEAD)
        head.headers.pop()
        assert len(head.headers) == 2

    def test_values_of_a_name(self) -> None:
        head = read_head(HEAD)
        assert (head.values(b"x-name"), head.values(b"host"), head.values(b"y")) == ([b"y"] * 2, [b"site.example"], [])

    def test_host_of_a_whole_uri_counts(self) -> None:
        head = read_head(b"GET http://other.example:80?x HTTP/1.1\r\nHost: site.example\r\n\r\n")
        assert head.headers == [(b"host", b"other.example:80")]
        assert (head.path, head.raw_path, head.query) == ("/", b"/", b"x")

    @pytest.mark.parametrize(
        ("lines", "length"), [(b"Content-Length: 7\r\n", 7), (b"Transfer-Encoding: chunked\r\n", None), (b"", 0)]
    )
    def test_length_of_the_body(self, lines: bytes, length: int | None) -> None:
        assert read_head(b"POST / HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n").content_length == length

    @pytest.mark.parametrize(
        ("request_line", "lines", "expected"),
        [
            (b"GET / HTTP/1.1", b"Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n", True),
            (b"POST / HTTP/1.1", b"Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n", True),
            (b"GET / HTTP/1.1", b"Connection: upgrade\r\nUpgrade: h2c\r\n", False),
            (b"GET / HTTP/1.0", b"Connection: upgrade\r\nUpgrade: websocket\r\n", False),
        ],
    )
    def test_offer_of_a_websocket(self, request_line: bytes, lines: bytes, expected: bool) -> None:
        assert read_head(request_line + b"\r\nHost: a\r\n" + lines + b"\r\n").offers_websocket is expected

    @given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="?#")))
    @example("%c3%A9%ff%zz%%4%e2%82")
    def test_path_is_decoded_as_urllib_does_it(self, path: str) -> None:
        head = read_head(f"GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert head.path == urllib.parse.unquote(f"/{path}")

    @given(
        st.lists(
            st.tuples(st.text("abcXYZ-_09", min_size=1), st.text(st.characters(codec="latin-1", min_codepoint=0x20)))
        )
    )
    def test_headers_are_those_that_were_sent(self, headers: list[tuple[str, str]]) -> None:
        pairs = [("x" + name, value.replace("\x7f", "").replace("\x85", "")) for name, value in headers]
        lines = "".join(f"{name}: {value}\r\n" for name, value in pairs).encode("latin-1")
        sent = keep_headers([(name.encode(), value.encode("latin-1")) for name, value in pairs])
        assert tuple(read_head(b"GET / HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n").headers[1:]) == sent


class TestReader:
    GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"

    def test_each_call_reads_one_request(self) -> None:
        reader = RequestReader(MAX_HEAD)
        for left in (2, 1, 0):
            head, end = reader.receive(self.GET * 3 if left == 2 else b"")
            assert isinstance(head, RequestHead) and end is None
            assert reader.unread == left * len(self.GET)
        assert reader.receive(b"") == []
        assert reader.is_between

    def test_what_arrives_behind_unread_bytes_comes_after_them(self) -> None:
        reader = RequestReader(MAX_HEAD)
        reader.receive(self.GET + self.GET[:9])
        assert reader.receive(self.GET[9:] + self.GET[:5])[1:] == [None]
        assert reader.receive(self.GET[5:])[1:] == [None]
        assert reader.unread == 0

    def test_frames_behind_a_handshake_are_left_to_the_websocket(self) -> None:
        reader = RequestReader(MAX_HEAD)
        handshake = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
        assert reader.receive(handshake + b"\x81\x80\0\0\0\0")[1:] == [None]
        assert reader.take_unread() == b"\x81\x80\0\0\0\0"
        assert (reader.unread, reader.take_unread()) == (0, b"")

    def test_chunks_that_come_together_are_one_part(self) -> None:
        reader = RequestReader(MAX_HEAD)
        reader.receive(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert reader.receive(b"1\r\na\r\n2\r\nbc\r\n3\r\nde") == [b"abcde"]
        assert reader.receive(b"f\r\n0\r\n\r\n") == [b"f", None]

    def test_what_was_good_comes_before_the_refusal(self) -> None:
        reader = RequestReader(MAX_HEAD)
        *_, body, refusal = reader.receive(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\nZZ\r\n"
        )
        assert body == b"a" and isinstance(refusal, RequestRefusal)
        assert (refusal.status, refusal.reason) == (400, "chunk size")
        assert reader.receive(self.GET) == []
        assert (reader.unread, reader.take_unread()) == (0, b"")

    def test_size_of_an_unfinished_head(self) -> None:
        reader = RequestReader(MAX_HEAD)
        sizes = []
        for at in range(len(self.GET)):
            sizes.append((reader.head_size, reader.is_between))
            reader.receive(self.GET[at : at + 1])
        assert sizes == [(at, at == 0) for at in range(len(self.GET))]
        assert (reader.head_size, reader.is_between) == (0, True)

    def test_what_is_kept_is_known_and_can_be_dropped(self) -> None:
        reader = RequestReader(65_536)
        assert reader.held == 0
        reader.receive(HEAD[:40])
        assert 40 <= reader.held <= 80
        (head, end) = reader.receive(HEAD[40:] + b"x" * 1000)
        assert isinstance(head, RequestHead)
        assert end is None
        assert reader.held == reader.unread == 1000
        assert len(HEAD) < head.memory < len(HEAD) + 1500
        reader.discard()
        assert (reader.held, reader.unread) == (0, 0)
        assert reader.receive(HEAD) == []

    def test_trailers_that_do_not_end_are_kept_too(self) -> None:
        reader = RequestReader(65_536)
        reader.receive(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"x" * 10_000)
        assert 10_000 <= reader.held <= 20_008

    @pytest.mark.parametrize(
        ("limits", "data", "reason"),
        [
            ({"max_head": 100}, b"GET /" + b"a" * 96, "head size"),
            ({"max_fields": 2}, b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\nX: y\r\n\r\n", "header lines"),
            ({"max_chunk_line": 5}, b"0;abcd", "chunk line size"),
            ({"max_trailers": 9}, b"0\r\nX: 3456789", "trailer size"),
        ],
    )
    def test_limits_are_kept(self, limits: dict[str, int], data: bytes, reason: str) -> None:
        reader = RequestReader(**{"max_head": MAX_HEAD, **limits})
        if data.startswith(b"0"):
            reader.receive(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert refuse(data[:-1], reader) == []
        assert [refusal.reason for refusal in refuse(data[-1:], reader)] == [reason]

    @given(st.binary(max_size=300))
    def test_any_bytes_raise_nothing(self, data: bytes) -> None:
        read([data])
