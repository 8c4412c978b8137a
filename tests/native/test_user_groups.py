"""A user's groups are counted once over all connections."""

from awxfast.native.user_groups import UserGroups


class TestUserGroups:
    def test_groups_of_two_connections_count_once(self) -> None:
        users = UserGroups(3)
        assert users.replace(7, {"a", "b"}, ())
        assert users.replace(7, {"a", "b", "c"}, ())
        assert not users.replace(7, {"d"}, ())

    def test_exactly_the_most_is_allowed_and_one_more_changes_nothing(self) -> None:
        users = UserGroups(2)
        assert users.replace(7, {"a", "b"}, ())
        assert not users.replace(7, {"c"}, ())
        assert users.replace(7, {"c"}, {"a"})

    def test_group_that_another_connection_keeps_is_not_freed(self) -> None:
        users = UserGroups(2)
        users.replace(7, {"a", "b"}, ())
        users.replace(7, {"a"}, ())
        assert not users.replace(7, {"c"}, {"a"})
        assert users.replace(7, (), {"a"})
        assert users.replace(7, {"c"}, {"a"})

    def test_users_have_nothing_to_do_with_each_other(self) -> None:
        users = UserGroups(1)
        assert users.replace(7, {"a"}, ())
        assert users.replace(8, {"b"}, ())

    def test_to_leave_is_always_allowed(self) -> None:
        users = UserGroups(1)
        users.restore(7, {"a", "b", "c"}, ())
        assert users.replace(7, (), {"a"})
        assert not users.replace(7, {"d"}, {"b"})

    def test_user_without_groups_costs_nothing(self) -> None:
        users = UserGroups(5)
        users.replace(7, {"a"}, ())
        users.replace(7, (), {"a"})
        users.replace(8, (), ())
        assert not users._users
