"""What the log says about a dial that failed: the thing and the remedy, and nothing that a peer could misuse."""

import errno
import socket
import ssl

import pytest
from awxfast.broadcast.dial_failure import explain_answer, explain_error
from awxfast.broadcast.target import Target

NOW = 1_764_000_000.0
NOW_IN_WORDS = "Mon, 24 Nov 2025 16:00:00 GMT"
EARLIER = "Sun, 23 Nov 2025 16:46:00 GMT"
PEER = Target.of("http", "web-1", 8052)


class TestRedirects:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_location_and_setting_are_named(self, status: int) -> None:
        failure = explain_answer(PEER, status, {"Location": "https://web-1.example/websocket/relay/?a=b"}, NOW)
        assert failure.kind == "redirected"
        assert "https://web-1.example," in failure.text
        assert "--protocol https" in failure.text
        assert "?a=b" not in failure.text

    def test_same_protocol_leaves_the_port(self) -> None:
        failure = explain_answer(PEER, 302, {"Location": "http://other:80/"}, NOW)
        assert "http://other:80" in failure.text
        assert failure.text.endswith("--port")

    @pytest.mark.parametrize("location", ["", "/elsewhere", "http://[", "\x1b[31m"])
    def test_strange_location_is_not_repeated(self, location: str) -> None:
        text = explain_answer(PEER, 301, {"Location": location}, NOW).text
        assert "elsewhere" in text
        assert text.isprintable()

    def test_credentials_in_a_location_are_not_repeated(self) -> None:
        assert "word" not in explain_answer(PEER, 301, {"Location": "https://user:word@a/"}, NOW).text


class TestRefusals:
    def test_clocks_that_differ_are_said_in_seconds(self) -> None:
        failure = explain_answer(PEER, 403, {"Date": EARLIER}, NOW)
        assert failure.kind == "refused"
        assert "its clock is 83640 s behind ours" in failure.text
        assert failure.clock_skew == -83640

    def test_clocks_that_agree_leave_the_secret(self) -> None:
        failure = explain_answer(PEER, 403, {"Date": NOW_IN_WORDS}, NOW)
        assert "compare the secrets" in failure.text
        assert "clocks agree" in failure.text

    @pytest.mark.parametrize("date", [None, "", "yesterday", "Mon, 24 Nov 99999 16:00:00 GMT"])
    def test_without_a_date_both_are_named(self, date: str | None) -> None:
        headers = {} if date is None else {"Date": date}
        assert "secrets" in explain_answer(PEER, 403, headers, NOW).text

    @pytest.mark.parametrize(("status", "word"), [(404, "--era"), (500, "--era"), (502, "proxy"), (418, "418")])
    def test_other_answers(self, status: int, word: str) -> None:
        failure = explain_answer(PEER, status, {}, NOW)
        assert word in failure.text
        assert failure.kind == f"http_{status}"
        assert failure.status == status

    def test_statuses_that_a_peer_makes_up_are_one_kind(self) -> None:
        kinds = {explain_answer(PEER, status, {}, NOW).kind for status in (*range(419, 421), *range(600, 1000))}
        assert kinds == {"http_other"}


class TestErrors:
    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (TimeoutError(), "timeout"),
            (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "unreachable"),
            (socket.gaierror(-2, "Name or service not known"), "unknown_host"),
            (ssl.SSLError(1, "wrong version number"), "tls"),
            (ValueError("no HTTP"), "not_http"),
        ],
    )
    def test_kind(self, error: Exception, kind: str) -> None:
        assert explain_error(error).kind == kind

    def test_several_addresses_give_the_first_reason(self) -> None:
        error = OSError("Multiple exceptions: [Errno 111] Connect call failed, [Errno 101] ...")
        assert "connection refused" in explain_error(error).text

    def test_garbage_is_printable_and_short(self) -> None:
        text = explain_error(ValueError("\x1b[2J" + "x" * 1000)).text
        assert text.isprintable()
        assert len(text) < 300
