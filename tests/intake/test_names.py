"""The names that producers and other processes meet in Redis."""

import pytest
from awxfast.intake.names import MAX_NAME_LENGTH, ProcessNames, token_of_groups_key
from channels.layers import BaseChannelLayer

TOKEN = "3f1c0a9be2d44c7f8a6b5d4e3c2b1a00"
NAMES = ProcessNames("asgi", TOKEN)


class TestKeys:
    """Byte for byte those of channels_redis 3 and 4 (django/channels#312: prefix honoured)."""

    def test_queue_has_no_colon_after_the_prefix(self) -> None:
        assert NAMES.queue == f"asgispecific.{TOKEN}!"

    def test_group_key_has_two_colons(self) -> None:
        assert NAMES.group_key("job_events-42") == "asgi:group:job_events-42"

    def test_another_prefix_is_in_both(self) -> None:
        names = ProcessNames("site-b", TOKEN)
        assert names.queue.startswith("site-bspecific.")
        assert names.group_key("x") == "site-b:group:x"

    def test_own_keys_are_outside_what_awx_wipes(self) -> None:
        assert not any(key.startswith("asgi:") for key in NAMES.own_keys)
        assert NAMES.process_key == f"awxfast:process:{TOKEN}"
        assert NAMES.groups_key == f"awxfast:groups:{TOKEN}"

    def test_every_process_has_its_own_token(self) -> None:
        first, second = ProcessNames("asgi"), ProcessNames("asgi")
        assert first.token != second.token
        assert token_of_groups_key(first.groups_key.encode()) == first.token


class TestLocalPart:
    def test_names_the_group_while_the_channel_is_short_enough(self) -> None:
        assert NAMES.local_of("job_events-42") == "g.job_events-42"
        longest = "x" * 55
        local = NAMES.local_of(longest)
        assert local is not None
        assert len(NAMES.channel(local)) == MAX_NAME_LENGTH

    def test_is_none_when_it_would_be_too_long_for_channels(self) -> None:
        assert NAMES.local_of("x" * 56) is None

    @pytest.mark.parametrize("group", ["jobs-summary", "x" * 55, NAMES.sentinel])
    def test_makes_names_that_channels_accepts(self, group: str) -> None:
        local = NAMES.local_of(group)
        assert local is not None
        assert BaseChannelLayer().require_valid_channel_name(NAMES.channel(local))
        assert BaseChannelLayer().require_valid_channel_name(NAMES.channel("n.17"))


class TestTokenOfGroupsKey:
    @pytest.mark.parametrize(
        "key", [b"awxfast:groups:", b"awxfast:groups:zz", b"awxfast:process:" + TOKEN.encode(), b"\xff", TOKEN.encode()]
    )
    def test_other_keys_have_none(self, key: bytes) -> None:
        assert token_of_groups_key(key) is None
