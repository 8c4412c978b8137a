"""Whose credentials were known lately: bounded, and nobody makes others unknown."""

import pytest
from awxfast.native import known_logins
from awxfast.native.known_logins import USER_LOGINS, KnownLogins


def key(name: str) -> bytes:
    return name.encode()


class TestKnownLogins:
    def test_user_of_credentials_is_known_for_an_hour(self) -> None:
        now = 0.0
        logins = KnownLogins(lambda: now)
        logins.keep(key("a"), 7)
        now = 3599.0
        assert (logins.recall(key("a")), logins.recall(key("b"))) == (7, None)
        now = 3600.0
        assert logins.recall(key("a")) is None

    def test_one_user_with_any_number_of_cookies_leaves_all_others_known(self) -> None:
        logins = KnownLogins()
        for user in range(100):
            logins.keep(key(f"honest {user}"), user)
        for number in range(20_000):
            logins.keep(key(f"sessionid=VALID; x={number}"), 1000)
        assert [logins.recall(key(f"honest {user}")) for user in range(100)] == [*range(100)]
        assert len(logins) == 100 + USER_LOGINS
        assert logins.recall(key("sessionid=VALID; x=19999")) == 1000

    def test_past_the_bound_who_came_least_lately_goes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(known_logins, "KEEP_LOGINS", 3)
        logins = KnownLogins()
        for user in (1, 2, 3, 1, 4):
            logins.keep(key(str(user)), user)
        assert [logins.recall(key(str(user))) for user in (1, 2, 3, 4)] == [1, None, 3, 4]

    def test_credentials_that_are_anothers_now_are_theirs(self) -> None:
        logins = KnownLogins()
        logins.keep(key("a"), 1)
        logins.keep(key("a"), 2)
        assert logins.recall(key("a")) == 2
        logins.forget(key("a"))
        logins.forget(key("a"))
        assert (logins.recall(key("a")), len(logins)) == (None, 0)

    def test_nothing_is_kept_after_a_reload(self) -> None:
        logins = KnownLogins()
        logins.keep(key("a"), 1)
        logins.clear()
        assert (logins.recall(key("a")), len(logins)) == (None, 0)
