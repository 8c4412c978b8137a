"""Events that no key reads: said in words once, counted always."""

import time
from typing import Any

import pytest
from awxfast._rust import EntryFormat, Fanout
from awxfast.intake.decryption_log import DecryptionLog, tell_undecryptable


def entry(key: bytes) -> list[Any]:
    return [EntryFormat(keys=[key]).seal(b"\x80"), repr(time.time()).encode()]


@pytest.fixture
def entry_format() -> EntryFormat:
    return EntryFormat(keys=[b"sesame"], ttl=70)


class TestLog:
    def test_wrong_key_is_said_once_and_counted_each_time(
        self, entry_format: EntryFormat, caplog: pytest.LogCaptureFixture
    ) -> None:
        fanout = Fanout(entry_format=entry_format)
        taker = DecryptionLog(fanout, entry_format)
        for _ in range(3):
            taker.publish_batch([entry(b"other"), entry(b"other")])
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert "no key reads them" in caplog.text
        assert "sesame" not in caplog.text
        assert "other" not in caplog.text.replace("another", "")
        assert fanout.ledger()["events"]["rejected"] == {"undecryptable": 6}
        fanout.stop()

    def test_each_reason_has_words_of_its_own(
        self, entry_format: EntryFormat, caplog: pytest.LogCaptureFixture
    ) -> None:
        fanout = Fanout(entry_format=entry_format)
        taker = DecryptionLog(fanout, entry_format)
        taker.publish_batch([entry(b"other"), [bytes(12) + b"\x80", b"1.0"], entry(b"sesame")])
        assert len(caplog.records) == 2
        assert "they are not encrypted" in caplog.text
        fanout.stop()

    def test_log_stands_only_before_an_encrypted_layer(self, entry_format: EntryFormat) -> None:
        fanout = Fanout()
        assert tell_undecryptable(fanout, EntryFormat()) is fanout
        assert isinstance(tell_undecryptable(fanout, entry_format), DecryptionLog)
        fanout.stop()
