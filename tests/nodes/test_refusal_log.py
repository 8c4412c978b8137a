"""What the log says about refused nodes."""

import logging

import pytest
from awxfast import quiet_log
from awxfast.nodes import refusal_log
from awxfast.nodes.refusal_log import RefusalLog
from awxfast.nodes.secret_gate import Verdict
from clocks import Clock

PATH = "/websocket/relay/"


class TestWords:
    @pytest.mark.parametrize(
        ("verdict", "reason", "words"),
        [
            (Verdict("nonce", 83_644), "nonce", "its clock is 83644 seconds ahead of ours, more than 300 s apart"),
            (Verdict("nonce", -301), "nonce", "its clock is 301 seconds behind ours, more than 300 s apart"),
            (Verdict("digest"), "secret", "its secret is not ours"),
            (Verdict("malformed"), "secret", "it has no secret header, or one that is not well-formed"),
            (Verdict("repeat", 0, repeated=True), "nonce", "used before"),
            (Verdict("unanswered", 0), "nonce", "could not be found out in time"),
        ],
    )
    def test_reason_is_said(self, caplog: pytest.LogCaptureFixture, verdict: Verdict, reason: str, words: str) -> None:
        RefusalLog(300).refuse("192.0.2.7", PATH, verdict)
        assert f"refused ({reason}) {PATH!r} from 192.0.2.7: " in caplog.text
        assert words in caplog.text

    def test_one_second_is_singular(self) -> None:
        assert refusal_log.describe_skew(1) == "its clock is 1 second ahead of ours"

    def test_header_from_two_addresses_is_said(self, caplog: pytest.LogCaptureFixture) -> None:
        RefusalLog(300).repeat("192.0.2.7", Verdict("", 0, repeated=True, first_from="192.0.2.8"))
        assert "192.0.2.7 linked with a secret header that came from 192.0.2.8 before" in caplog.text


class TestQuiet:
    def test_a_line_a_minute_and_address(self, caplog: pytest.LogCaptureFixture) -> None:
        clock = Clock()
        log = RefusalLog(300, clock)
        for clock.now in (0.0, 5.0, 59.9, 60.0, 65.0):
            log.refuse("192.0.2.7", PATH, Verdict("digest"))
        log.refuse("192.0.2.8", PATH, Verdict("digest"))
        assert [record.levelno for record in caplog.records] == [logging.WARNING] * 3

    def test_missing_secret_is_said_once(self, caplog: pytest.LogCaptureFixture) -> None:
        clock = Clock()
        log = RefusalLog(300, clock)
        for clock.now in (0.0, 100.0, 1000.0):
            log.refuse("192.0.2.7", PATH, Verdict("no_secret"))
        assert len(caplog.records) == 1

    def test_another_reason_of_the_same_node_is_said(self, caplog: pytest.LogCaptureFixture) -> None:
        log = RefusalLog(300, Clock())
        for verdict in (Verdict("digest"), Verdict("digest"), Verdict("nonce", 400), Verdict("nonce", 401)):
            log.refuse("192.0.2.7", PATH, verdict)
        assert ["its secret is not ours" in text for text in caplog.messages] == [True, False]
        assert "its clock is 400 seconds ahead" in caplog.messages[1]

    @pytest.mark.parametrize(
        ("junk", "honest"),
        [
            (Verdict("malformed"), Verdict("digest")),
            (Verdict("malformed"), Verdict("nonce", 400)),
            (Verdict("digest"), Verdict("nonce", 400)),
            (Verdict("nonce"), Verdict("repeat", 0, repeated=True)),
        ],
        ids=str,
    )
    def test_junk_from_invented_addresses_hides_no_node_that_had_more_to_show(
        self, junk: Verdict, honest: Verdict, caplog: pytest.LogCaptureFixture
    ) -> None:
        log = RefusalLog(300, Clock())
        for number in range(1000):
            log.refuse(f"192.0.{number // 250}.{number % 250}", PATH, junk)
        log.refuse("198.51.100.1", PATH, honest)
        assert "from 198.51.100.1: " in caplog.messages[-1]
        assert len(caplog.messages) == 101

    def test_invented_addresses_fill_no_disk(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(quiet_log, "MOST_KINDS", 3)
        clock = Clock()
        log = RefusalLog(300, clock)
        for number in range(1000):
            log.refuse(f"192.0.2.{number}", PATH, Verdict("digest"))
        assert len(caplog.records) == 3
        clock.now = 60.0
        log.refuse("198.51.100.1", PATH, Verdict("digest"))
        assert caplog.messages[3].endswith("(997 more lines about others were left out)")
