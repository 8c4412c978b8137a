"""Writes what `group_send` of channels_redis 2 would: into lists, straight into the queues of a group's members."""

from collections.abc import Sequence

import msgpack

from traffic.direct_queue import EXPIRY_SECONDS, RedisPipe, members_by_queue, pack
from traffic.event_texts import NANOSECONDS, event_text

PREFIX = "asgi:"


class ListQueue:
    """The queues of a group's members, as found when it is made."""

    def __init__(self, redis_url: str, groups: Sequence[str], template: bytes) -> None:
        self._redis = RedisPipe(redis_url)
        (names,) = self._redis.call([(b"ZRANGE", f"{PREFIX}:group:{groups[0]}".encode(), b"0", b"-1")])
        if not names:
            raise SystemExit(f"nobody is in the group {groups[0]}")
        members = members_by_queue(names, PREFIX)
        self._templates = [command_template(queue, channels, template) for queue, channels in members.items()]
        self._depths = [(b"LLEN", queue) for queue in members]

    def send(self, first: int, count: int, made_ns: int) -> None:
        """Writes the events `first` to `first + count - 1`, stamped `made_ns`, and waits for Redis' answers."""
        made = divmod(made_ns, NANOSECONDS)
        commands = [template % (first + index, *made) for index in range(count) for template in self._templates]
        self._redis.call_packed(b"".join(commands), 2 * len(commands))

    def depth(self) -> int:
        """How many events wait, in the fullest queue."""
        return max(map(int, self._redis.call(self._depths)))


def command_template(queue: bytes, channels: Sequence[bytes], text_template: bytes) -> bytes:
    """LPUSH and EXPIRE as a `%` template of the text's own places."""
    sample = event_text(text_template, 0, 0)
    message = {"type": "internal.message", "text": sample.decode(), "needs_relay": True}
    entry: bytes = msgpack.packb({**message, "__asgi_channel__": [name.decode() for name in channels]})
    packed = pack((b"LPUSH", queue, entry)) + pack((b"EXPIRE", queue, b"%d" % EXPIRY_SECONDS))
    before, _, after = packed.replace(b"%", b"%%").partition(sample.replace(b"%", b"%%"))
    return before + text_template + after
