"""Whose credentials the application's API knew lately, so that they need not wait behind invented ones."""

import collections
import time
from collections.abc import Callable

KEEP_SECONDS = 3600.0
KEEP_LOGINS = 10_000
USER_LOGINS = 32
"""Of one user: whoever adds cookies of their own to a session's makes as many of it as they like."""


class KnownLogins:
    """The users of credentials, which are given by a digest. Past a bound the one that was used least lately goes."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._logins: collections.OrderedDict[bytes, tuple[float, int]] = collections.OrderedDict()
        self._of_user: dict[int, collections.OrderedDict[bytes, None]] = {}

    def __len__(self) -> int:
        return len(self._logins)

    def recall(self, key: bytes) -> int | None:
        """Whose they were, if the API knew them within `KEEP_SECONDS`."""
        asked, user = self._logins.get(key, (0.0, None))
        return user if user is not None and self._now() - asked < KEEP_SECONDS else None

    def keep(self, key: bytes, user: int) -> None:
        """The API has just said whose they are."""
        self.forget(key)
        self._logins[key] = self._now(), user
        keys = self._of_user.setdefault(user, collections.OrderedDict())
        keys[key] = None
        if len(keys) > USER_LOGINS:
            self.forget(next(iter(keys)))
        elif len(self._logins) > KEEP_LOGINS:
            self.forget(next(iter(self._logins)))

    def forget(self, key: bytes) -> None:
        """It does not know them any more."""
        if key not in self._logins:
            return
        _, user = self._logins.pop(key)
        keys = self._of_user[user]
        del keys[key]
        if not keys:
            del self._of_user[user]

    def clear(self) -> None:
        """Forgets everybody who was known."""
        self._logins.clear()
        self._of_user.clear()
