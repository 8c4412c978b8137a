"""Cookies, tokens and header lines of a request."""

import pytest
from awxfast.wire.request import Request, list_tokens, read_cookie, read_token


def request(*headers: tuple[bytes, bytes], query: bytes = b"") -> Request:
    return Request("GET", "1.1", "/websocket/", query, headers)


class TestHeaders:
    def test_values_are_all_lines_in_order(self) -> None:
        assert request((b"a", b"1"), (b"b", b"2"), (b"a", b"3")).values(b"a") == [b"1", b"3"]

    def test_first_is_none_without_a_line(self) -> None:
        assert request().first(b"a") is None

    def test_tokens_of_all_lines_are_lower_case(self) -> None:
        assert list_tokens([b"keep-alive, Upgrade", b"\tX "]) == [b"keep-alive", b"upgrade", b"x"]


class TestCookies:
    @pytest.mark.parametrize(
        ("line", "value"),
        [
            (b"csrftoken=X", "X"),
            (b"a=b; csrftoken=X; c=d", "X"),
            (b"csrftoken=old;csrftoken=new", "new"),
            (b"csrftoken=a=b", "a=b"),
            (b"csrftoken=", ""),
            (b"xcsrftoken=X", None),
            (b"csrftoken", None),
            (b"", None),
        ],
    )
    def test_cookie_is_found_by_its_whole_name(self, line: bytes, value: str | None) -> None:
        assert read_cookie(request((b"cookie", line)), "csrftoken") == value

    def test_only_the_first_cookie_line_counts(self) -> None:
        assert read_cookie(request((b"cookie", b"a=b"), (b"cookie", b"csrftoken=X")), "csrftoken") is None

    def test_no_cookie_line_has_no_cookie(self) -> None:
        assert read_cookie(request(), "csrftoken") is None


class TestTokens:
    @pytest.mark.parametrize("value", [b"Bearer T", b"bearer T", b"Token T", b"TOKEN  T"])
    def test_authorization_carries_a_token(self, value: bytes) -> None:
        assert read_token(request((b"authorization", value))) == "T"

    @pytest.mark.parametrize("value", [b"Basic dTpw", b"Bearer", b"Bearer ", b"", b"T"])
    def test_other_schemes_carry_none(self, value: bytes) -> None:
        assert read_token(request((b"authorization", value))) is None

    @pytest.mark.parametrize(
        ("query", "token"),
        [
            (b"token=T", "T"),
            (b"a=b&token=T%2B1", "T+1"),
            (b"token=", None),
            (b"Token=T", None),
            (b"", None),
            (b"&" * 200 + b"token=T", None),
        ],
    )
    def test_query_carries_a_token(self, query: bytes, token: str | None) -> None:
        assert read_token(request(query=query)) == token

    def test_header_wins_over_the_query(self) -> None:
        assert read_token(request((b"authorization", b"Bearer H"), query=b"token=Q")) == "H"
