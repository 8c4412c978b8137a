"""What the parts of an application's messages may be (ASGI; RFC 9110 section 5, RFC 6455 section 7.4)."""

from typing import Any

import pytest
from awxfast.hosted.messages import check_acceptance, check_code, check_headers, check_status, cut_reason


class TestHeaders:
    def test_names_are_lower_case_and_values_as_they_are(self) -> None:
        assert check_headers([(b"X-A", b"B\tC \xe9"), [b"set-cookie", b""]]) == [
            (b"x-a", b"B\tC \xe9"),
            (b"set-cookie", b""),
        ]

    @pytest.mark.parametrize(
        "header",
        [
            ("x-a", b"b"),
            (b"x-a", "b"),
            (b"", b"b"),
            (b"x a", b"b"),
            (b"x-a:", b"b"),
            (b"x-a", b"b\r\nx-c: d"),
            (b"x-a", b"b\x00"),
        ],
    )
    def test_others_are_refused(self, header: Any) -> None:
        with pytest.raises(ValueError, match="header"):
            check_headers([header])

    @pytest.mark.parametrize("name", [b"Sec-WebSocket-Protocol", b"Connection", b"UPGRADE", b"content-length"])
    def test_those_of_a_101_are_the_servers(self, name: bytes) -> None:
        with pytest.raises(ValueError, match="of a 101 is the server's"):
            check_acceptance([(b"x-a", b"b"), (name, b"c")])


class TestReason:
    def test_it_is_cut_between_characters(self) -> None:
        assert cut_reason("é" * 100) == ("é" * 61).encode()
        assert cut_reason("over") == b"over"


class TestNumbers:
    @pytest.mark.parametrize("code", [1000, 1011, 3000, 4999])
    def test_codes_that_a_close_can_have(self, code: int) -> None:
        assert check_code(code) == code

    @pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, "1000", None])
    def test_codes_that_it_can_not(self, code: Any) -> None:
        with pytest.raises(ValueError, match="no code"):
            check_code(code)

    @pytest.mark.parametrize("status", [100, 101, 199, 600, "200", None])
    def test_status_of_no_response(self, status: Any) -> None:
        with pytest.raises(ValueError, match="no status"):
            check_status(status)
