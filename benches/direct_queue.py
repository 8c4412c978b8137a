"""Writes what channels_redis' `group_send` would, straight into the queues of a group's members."""

import os
import socket
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import hiredis
import msgpack
from events import NANOSECONDS, event_text

PREFIX = "asgi"
RANDOM_BYTES = 12
EXPIRY_SECONDS = 60
SCORE_STEP_NS = 1000  # two events with one score leave the sorted set in random order
SCORE_PLACE = b"<score-to-come-->"
RANDOM_PLACE = b"<random-12->"


class DirectQueue:
    """The queues of one group's members, as found when it is made."""

    def __init__(self, redis_url: str, group: str, template: bytes) -> None:
        self._redis = RedisPipe(redis_url)
        names = self._redis.call([(b"ZRANGE", f"{PREFIX}:group:{group}".encode(), b"0", b"-1")])[0]
        if not names:
            raise SystemExit(f"nobody is in the group {group}")
        queues: dict[bytes, list[bytes]] = {}
        for name in names:
            queues.setdefault(PREFIX.encode() + name[: name.index(b"!") + 1], []).append(name)
        self._depths = [(b"ZCARD", queue) for queue in queues]
        self._templates = [command_template(queue, members, template) for queue, members in queues.items()]
        self._last_score = 0

    def send(self, first: int, count: int) -> None:
        """Writes the events `first` to `first + count - 1`, one batch, and waits for Redis' answers."""
        now = time.time_ns()
        self._last_score = score = max(now, self._last_score + SCORE_STEP_NS)
        self._last_score += (count - 1) * SCORE_STEP_NS
        seconds, nanoseconds = divmod(now, NANOSECONDS)
        random = os.urandom(RANDOM_BYTES * count)
        commands = [
            template
            % (
                (score + index * SCORE_STEP_NS) / NANOSECONDS,
                random[index * RANDOM_BYTES : (index + 1) * RANDOM_BYTES],
                first + index,
                seconds,
                nanoseconds,
            )
            for template in self._templates
            for index in range(count)
        ]
        self._redis.call_packed(b"".join(commands), 2 * len(commands))

    def depth(self) -> int:
        """How many events wait, in the fullest queue."""
        return max(map(int, self._redis.call(self._depths)))


def command_template(queue: bytes, members: list[bytes], text_template: bytes) -> bytes:
    """ZADD and EXPIRE as a `%` template of score, random prefix and the text's own places."""
    sample = event_text(text_template, 0, 0)
    message = {"type": "internal.message", "text": sample.decode(), "needs_relay": True}
    body = msgpack.packb({**message, "__asgi_channel__": [name.decode() for name in members]})
    packed = hiredis.pack_command((b"ZADD", queue, SCORE_PLACE, RANDOM_PLACE + body))
    packed += hiredis.pack_command((b"EXPIRE", queue, b"%d" % EXPIRY_SECONDS))
    before, _, after = packed.replace(b"%", b"%%").partition(sample.replace(b"%", b"%%"))
    return before.replace(SCORE_PLACE, b"%.6f").replace(RANDOM_PLACE, b"%b") + text_template + after


class RedisPipe:
    """A blocking connection that sends packed commands and reads as many answers."""

    def __init__(self, url: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(30)
        self._socket.connect(urlsplit(url).path)
        self._reader = hiredis.Reader()

    def call(self, commands: Sequence[tuple[bytes, ...]]) -> list[Any]:
        """Sends commands, returns their answers."""
        return self.call_packed(b"".join(map(hiredis.pack_command, commands)), len(commands))

    def call_packed(self, commands: bytes, count: int) -> list[Any]:
        """The same with commands that are bytes already; an error among the answers is raised."""
        self._socket.sendall(commands)
        answers: list[Any] = []
        while len(answers) < count:
            answer = self._reader.gets()
            if isinstance(answer, Exception):
                raise answer
            if answer is not False:
                answers.append(answer)
            elif not (received := self._socket.recv(65536)):
                raise ConnectionError("Redis has closed the connection")
            else:
                self._reader.feed(received)
        return answers
