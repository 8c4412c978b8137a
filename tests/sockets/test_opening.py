"""What the log says of an upgrade that waits. Openings themselves: `test_server`."""

import io

from awxfast.http.access_log import AccessLog
from awxfast.sockets.opening import describe_refused, describe_request, log_step, name_for_log
from awxfast.wire.handshake import Refusal
from awxfast.wire.request import Request

WRONG_ORIGIN = Refusal(403, "origin", "no")
HEADERS = ((b"host", b"awx.example"), (b"origin", b"https://evil.example"))
REQUEST = Request("GET", "1.1", "/websocket/", b"token=secret", HEADERS, ("192.0.2.7", 4711))


class TestWords:
    def test_refusal_tells_path_and_peer_and_never_the_query(self) -> None:
        words = describe_refused(REQUEST, Refusal(503, "limit", "no"))
        assert words == describe_request(REQUEST) == "'/websocket/' from 192.0.2.7:4711"

    def test_wrong_origin_is_told_with_what_would_have_been_let_in(self) -> None:
        words = describe_refused(REQUEST, WRONG_ORIGIN, "awx.example")
        assert words == (
            "'/websocket/' from 192.0.2.7:4711, Host 'awx.example', Origin 'https://evil.example'"
            " (allowed: awx.example)"
        )

    def test_header_that_is_not_there_is_not_named(self) -> None:
        words = describe_refused(Request("GET", "1.1", "/", headers=HEADERS[:1], client=("192.0.2.7", 1)), WRONG_ORIGIN)
        assert words == "'/' from 192.0.2.7:1, Host 'awx.example'"

    def test_what_a_terminal_would_obey_is_escaped(self) -> None:
        evil = Request("GET", "1.1", "/\x1b[2J", headers=((b"origin", b"\x1b[31m"),), client=("192.0.2.7", 1))
        assert "\x1b" not in describe_refused(evil, WRONG_ORIGIN)

    def test_path_is_cut(self) -> None:
        assert len(describe_request(Request("GET", "1.1", "/" + "x" * 10_000, client=("192.0.2.7", 1)))) < 300


class TestAccessLog:
    def test_connections_are_named_as_daphne_names_them(self) -> None:
        log = AccessLog(io.StringIO())
        assert name_for_log(REQUEST, log) == ("192.0.2.7:4711", "/websocket/")

    def test_step_is_a_line_of_daphnes(self) -> None:
        written = io.StringIO()
        log_step(AccessLog(written), REQUEST, "WSCONNECTING")
        assert written.getvalue().startswith("192.0.2.7:4711 - - [")
        assert written.getvalue().endswith('] "WSCONNECTING /websocket/" - -\n')

    def test_nothing_is_kept_where_there_is_no_log(self) -> None:
        log_step(None, REQUEST, "WSCONNECTING")
        assert name_for_log(REQUEST, None) is None
