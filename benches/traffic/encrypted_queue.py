"""Writes what an encrypted layer's `group_send` would, straight into the queues of a group's members."""

import time
from collections.abc import Sequence

import msgpack
from awxfast._rust import EntryFormat

from traffic.direct_queue import (
    EXPIRY_SECONDS,
    NANOSECONDS_A_SCORE,
    PREFIX,
    SCORES_A_SECOND,
    RedisPipe,
    members_by_queue,
    pack,
)
from traffic.event_texts import event_text

KEY = "the key of a benchmark"


class EncryptedQueue:
    """The queues of a group's members, as found when it is made."""

    def __init__(self, redis_url: str, groups: Sequence[str], template: bytes) -> None:
        self._redis = RedisPipe(redis_url)
        self._template = template
        self._format = EntryFormat(keys=[KEY.encode()])
        (names,) = self._redis.call([(b"ZRANGE", f"{PREFIX}:group:{groups[0]}".encode(), b"0", b"-1")])
        if not names:
            raise SystemExit(f"nobody is in the group {groups[0]}")
        members = members_by_queue(names)
        self._queues = {queue: [name.decode() for name in channels] for queue, channels in members.items()}
        self._depths = [(b"ZCARD", queue) for queue in self._queues]
        self._next_score = 0

    def send(self, first: int, count: int, made_ns: int) -> None:
        """Writes the events `first` to `first + count - 1`, stamped `made_ns`, and waits for Redis' answers."""
        begin = max(time.time_ns() // NANOSECONDS_A_SCORE, self._next_score)
        self._next_score = begin + count
        commands = []
        for index in range(count):
            message = {
                "type": "internal.message",
                "text": event_text(self._template, first + index, made_ns).decode(),
                "needs_relay": True,
            }
            score = b"%d.%06d" % divmod(begin + index, SCORES_A_SECOND)
            for queue, channels in self._queues.items():
                entry = self._format.seal(msgpack.packb({**message, "__asgi_channel__": channels}))
                commands += [pack((b"ZADD", queue, score, entry)), pack((b"EXPIRE", queue, b"%d" % EXPIRY_SECONDS))]
        self._redis.call_packed(b"".join(commands), len(commands))

    def depth(self) -> int:
        """How many events wait, in the fullest queue."""
        return max(map(int, self._redis.call(self._depths)))
