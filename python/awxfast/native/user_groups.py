"""How many groups a user has over all their connections, so that nobody alone fills what nodes can carry."""

from collections.abc import Collection


class UserGroups:
    """The groups of users, each counted once however many of a user's connections are in it; `most` a user."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._users: dict[int, dict[str, int]] = {}

    def replace(self, user: int, joined: Collection[str], left: Collection[str]) -> bool:
        """One connection changes its groups, which are in none of both lists twice. False: that would be too many."""
        groups = self._users.get(user, {})
        fresh = sum(group not in groups for group in joined)
        freed = sum(groups[group] == 1 for group in left)
        if fresh and len(groups) + fresh - freed > self.most:
            return False
        self.restore(user, joined, left)
        return True

    def restore(self, user: int, joined: Collection[str], left: Collection[str]) -> None:
        """The same without a question, for what was so before."""
        groups = self._users.setdefault(user, {})
        for group in joined:
            groups[group] = groups.get(group, 0) + 1
        for group in left:
            groups[group] -= 1
            if not groups[group]:
                del groups[group]
        if not groups:
            del self._users[user]
