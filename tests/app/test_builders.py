"""What a relay is built with."""

from awxfast.app.builders import reply_bound
from awxfast.settings import Settings


class TestReplyBound:
    def test_it_is_256_kib_and_grows_with_what_one_reply_may_name(self) -> None:
        assert reply_bound(Settings()) == 262_144
        assert reply_bound(Settings(max_groups=10)) == 262_144
        assert reply_bound(Settings(max_groups=4000)) == 4 * 262_144
