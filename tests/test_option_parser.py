"""Values of options are read or refused in one line."""

import argparse

import pytest
from awxfast.errors import ConfigurationError
from awxfast.option_parser import check_log_format, one_of, read_host_port, seconds, whole_number


class TestValues:
    def test_whole_numbers_within_bounds(self) -> None:
        assert [whole_number(0, 3)("0"), whole_number(0, 3)("3"), whole_number()("-7")] == [0, 3, -7]
        for text in ("-1", "4", "1.5", "x", ""):
            with pytest.raises(argparse.ArgumentTypeError):
                whole_number(0, 3)(text)

    def test_seconds_are_finite_and_not_negative(self) -> None:
        assert [seconds("0"), seconds("1.5")] == [0, 1.5]
        for text in ("-1", "nan", "inf", "x"):
            with pytest.raises(argparse.ArgumentTypeError):
                seconds(text)

    def test_words(self) -> None:
        assert one_of("a", "b")("a") == "a"
        with pytest.raises(argparse.ArgumentTypeError, match="a or b is needed, not 'c'"):
            one_of("a", "b")("c")
        with pytest.raises(argparse.ArgumentTypeError, match="c is not built yet; use a"):
            one_of("a", not_built=("c",))("c")

    @pytest.mark.parametrize(
        ("text", "read"),
        [
            ("h:1", ("h", 1)),
            (":1", ("127.0.0.1", 1)),
            ("[::1]:65535", ("::1", 65535)),
            ("h:65536", None),
            ("h", None),
            ("h:", None),
            ("h:x", None),
            ("h:\u0661", None),  # a digit, but not ASCII's
        ],
    )
    def test_host_and_port(self, text: str, read: tuple[str, int] | None) -> None:
        assert read_host_port(text) == read

    def test_log_format(self) -> None:
        check_log_format(None)
        check_log_format("%(message)s")
        with pytest.raises(ConfigurationError):
            check_log_format("%(message")
