"""Notices that are read, passed over, or none."""

import logging

import pytest
from awxfast.engine.notice_reader import NoticeReader
from awxfast.wire.engine_notices import Bye, Change, encode_notice

CHANGE = Change(who="0" * 16, node="awx-1", redis="a" * 32, version=1, add=("a",))


def test_groups_of_others_are_passed_over_unless_somebody_wants_them() -> None:
    reader = NoticeReader()
    assert reader.read(encode_notice(CHANGE), wants_groups=False) is None
    assert reader.read(encode_notice(CHANGE), wants_groups=True) == CHANGE
    assert reader.read(encode_notice(Bye(who="0" * 16)), wants_groups=False) == Bye(who="0" * 16)
    assert reader.faults == {}


def test_what_is_none_is_counted_and_told_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    reader = NoticeReader()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert reader.read(b'{"kind": "\\u001b[2J"}', wants_groups=True) is None
    assert reader.faults == {"other_type": 3}
    assert caplog.messages == ["the engine brought a message that is no notice (other_type)"]
