"""What people see of text from outside."""

import pytest
from awxfast.printable import CUT, escape


class TestEscape:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("web-1.example.org", "web-1.example.org"),
            ("Knoten müde", "Knoten müde"),
            ("a\nWARNING b", "a\\nWARNING b"),
            ("a\r\tb", "a\\r\\tb"),
            ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
            ("\x9b2J", "\\x9b2J"),
            ("\x00\x7f", "\\x00\\x7f"),
            ("a\u202eb\u2028c", "a\\u202eb\\u2028c"),
            ("\ud800", "\\ud800"),
        ],
    )
    def test_one_line_without_escapes(self, text: str, shown: str) -> None:
        assert escape(text) == shown

    def test_long_text_is_cut(self) -> None:
        assert escape("a" * 10_000) == "a" * CUT + "..."
