"""Date and Server, as RFC 9110 has them (sections 6.6.1 and 10.2.4)."""

import time
from email.utils import parsedate_to_datetime

import pytest
from awxfast.http.server_headers import ServerHeaders


class TestServerHeaders:
    def test_server_stands_behind_the_date(self) -> None:
        assert [name for name, _ in ServerHeaders("daphne").describe()] == [b"date", b"server"]

    def test_without_a_name_there_is_no_server(self) -> None:
        assert [name for name, _ in ServerHeaders("").describe()] == [b"date"]

    def test_date_is_this_seconds_and_is_made_once_for_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        now = 1_700_000_000.5
        monkeypatch.setattr(time, "time", lambda: now)
        headers = ServerHeaders("daphne")
        first = headers.describe()
        assert first[0] == (b"date", b"Tue, 14 Nov 2023 22:13:20 GMT")
        now += 0.4
        assert headers.describe() is first
        now += 0.2
        date = parsedate_to_datetime(headers.describe()[0][1].decode())
        assert date.timestamp() == 1_700_000_001

    def test_head_of_a_101_ends_with_the_same(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(time, "time", lambda: 1_700_000_000.0)
        encoded = ServerHeaders("daphne").encode_switching()
        assert encoded == b"\r\ndate: Tue, 14 Nov 2023 22:13:20 GMT\r\nserver: daphne\r\n\r\n"
