"""Which names Channels takes for groups."""

import pytest
from awxfast.wire.groups import is_valid_group


class TestGroupNames:
    @pytest.mark.parametrize("group", ["a", "job_events-42", "A.b-c_9", "x" * 99])
    def test_valid_ones(self, group: str) -> None:
        assert is_valid_group(group)

    @pytest.mark.parametrize("group", ["", "x" * 100, "a b", "a:b", "a/b", "a!b", "é", "a\n", "\0"])
    def test_invalid_ones_with_the_line_feed_that_channels_lets_through(self, group: str) -> None:
        assert not is_valid_group(group)
