"""Publishes what `group_send` of channels_redis' pub/sub layer would."""

from collections.abc import Sequence

import msgpack

from traffic.direct_queue import RedisPipe, pack
from traffic.event_texts import NANOSECONDS, event_text

PREFIX = "asgi__group__"


class Published:
    """The channel of one group, in Redis."""

    def __init__(self, redis_url: str, groups: Sequence[str], template: bytes) -> None:
        self._redis = RedisPipe(redis_url)
        self._template = command_template(f"{PREFIX}{groups[0]}".encode(), template)

    def send(self, first: int, count: int, made_ns: int) -> None:
        """Publishes the events `first` to `first + count - 1`, stamped `made_ns`, and waits for Redis' answers."""
        made = divmod(made_ns, NANOSECONDS)
        self._redis.call_packed(b"".join(self._template % (first + index, *made) for index in range(count)), count)

    def depth(self) -> int:
        """Nobody knows: what is published is read at once, so that only a fixed rate makes sense."""
        return 0


def command_template(channel: bytes, text_template: bytes) -> bytes:
    """PUBLISH as a `%` template of the text's own places."""
    sample = event_text(text_template, 0, 0)
    body: bytes = msgpack.packb({"type": "internal.message", "text": sample.decode(), "needs_relay": True})
    before, _, after = pack((b"PUBLISH", channel, body)).replace(b"%", b"%%").partition(sample.replace(b"%", b"%%"))
    return before + text_template + after
