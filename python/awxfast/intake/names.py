"""The names that this process has in Redis.

Keys are byte for byte those of channels_redis' core layer: version 2, whose queues are lists, differs by its prefix,
which ends with a colon. `awxfast:*` keys are our own and stand outside the layer's prefix, so that AWX's wipe of
`asgi:*` leaves them alone.
"""

import dataclasses
import re
import secrets

MAX_NAME_LENGTH = 99

_TOKEN = re.compile(r"[0-9a-f]{32}", re.ASCII)
_GROUPS_KEY = "awxfast:groups:"

CLEAN_UP_LOCK = "awxfast:clean-up"


def token_of_groups_key(key: bytes) -> str | None:
    """The process token in a key `awxfast:groups:<token>`, or None when the key is somebody else's."""
    text = key.decode("utf-8", "replace")
    token = text.removeprefix(_GROUPS_KEY)
    return token if token != text and _TOKEN.fullmatch(token) else None


@dataclasses.dataclass(frozen=True, slots=True)
class ProcessNames:
    """All names of one awxfast process on one Redis; `token` (32 hex digits) tells processes apart.

    `host`: which Redis it is, where a layer has several.
    """

    prefix: str
    token: str = dataclasses.field(default_factory=lambda: secrets.token_hex(16))
    host: int = 0

    GROUPS_PATTERN = _GROUPS_KEY + "*"

    @property
    def non_local(self) -> str:
        """What all channels of the process share; it names the queue."""
        return f"specific.{self.token}!"

    @property
    def queue(self) -> str:
        """Where producers put messages; no colon comes after the prefix."""
        return self.prefix + self.non_local

    @property
    def process_key(self) -> str:
        """A hash that tells who and where the process is; it expires when nobody renews it."""
        return f"awxfast:process:{self.token}"

    @property
    def groups_key(self) -> str:
        """A set of the groups registered, for whoever cleans up after a crash."""
        return _GROUPS_KEY + self.token

    @property
    def prefix_key(self) -> str:
        """The layer's prefix, for cleaning up after the process key is gone; sites may share a database."""
        return f"awxfast:prefix:{self.token}"

    @property
    def announced_in_key(self) -> str:
        """The group in which other nodes hear what the process wants; absent for one that tells nobody."""
        return f"awxfast:announced-in:{self.token}"

    @property
    def own_keys(self) -> tuple[str, ...]:
        """All that is deleted when the process ends (its members of group keys are removed, not deleted)."""
        mine = (self.process_key, self.groups_key, self.prefix_key, self.announced_in_key)
        return (self.queue, self.queue + "$inflight", *mine)

    @property
    def kinds(self) -> dict[str, str]:
        """The keys that are there while the process lives, with their types."""
        return {
            self.process_key: "hash",
            self.groups_key: "set",
            self.prefix_key: "string",
            self.group_key(self.sentinel): "zset",
        }

    @property
    def sentinel(self) -> str:
        """A group that exists only to notice that registrations vanished."""
        return f"awxfast-sentinel.{self.token}"

    def group_key(self, group: str) -> str:
        """The zset of a group's channels."""
        return f"{self.prefix}:group:{group}"

    def channel(self, local: str) -> str:
        """The full channel name that stands in a group's zset."""
        return self.non_local + local

    def local_of(self, group: str) -> str | None:
        """The local part that names the group itself, or None when the channel would get too long for Channels."""
        local = f"g.{group}"
        return local if len(self.non_local) + len(local) <= MAX_NAME_LENGTH else None

    def numbered(self, number: int) -> str:
        """The local part for a group that it can't name: no two of the process are the same, on whichever Redis."""
        return f"n.{self.host}.{number}" if self.host else f"n.{number}"
