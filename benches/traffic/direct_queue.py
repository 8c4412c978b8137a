"""Writes what channels_redis' `group_send` would, straight into the queues of groups' members."""

import os
import socket
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import hiredis
import msgpack

from traffic.event_texts import NANOSECONDS, event_text

PREFIX = "asgi"
RANDOM_BYTES = 12
EXPIRY_SECONDS = 60
# Scores are whole microseconds, each used once: events of one score leave a sorted set in random order.
SCORES_A_SECOND = 1_000_000
NANOSECONDS_A_SCORE = NANOSECONDS // SCORES_A_SECOND
SCORE_PLACE = b"<score-to-come-->"
RANDOM_PLACE = b"<random-12->"


class DirectQueue:
    """The queues of the groups' members, as found when it is made. Events go to the groups in turns."""

    def __init__(self, redis_url: str, groups: Sequence[str], template: bytes) -> None:
        self._redis = RedisPipe(redis_url)
        keys = [(b"ZRANGE", f"{PREFIX}:group:{group}".encode(), b"0", b"-1") for group in groups]
        queues: dict[bytes, None] = {}
        self._templates: list[list[bytes]] = []
        for group, names in zip(groups, self._redis.call(keys), strict=True):
            if not names:
                raise SystemExit(f"nobody is in the group {group}")
            members = members_by_queue(names)
            queues.update(dict.fromkeys(members))
            self._templates.append([command_template(queue, names, template) for queue, names in members.items()])
        self._depths = [(b"ZCARD", queue) for queue in queues]
        self._next_score = 0

    def send(self, first: int, count: int, made_ns: int) -> None:
        """Writes the events `first` to `first + count - 1`, stamped `made_ns`, and waits for Redis' answers.

        A group's events are numbered on their own: event 7 of three groups is number 2 of the second.
        """
        begin = max(time.time_ns() // NANOSECONDS_A_SCORE, self._next_score)
        self._next_score = begin + count
        made = divmod(made_ns, NANOSECONDS)
        random = os.urandom(RANDOM_BYTES * count)
        groups = len(self._templates)
        commands = [
            template
            % (
                *divmod(begin + index, SCORES_A_SECOND),
                random[RANDOM_BYTES * index : RANDOM_BYTES * (index + 1)],
                (first + index) // groups,
                *made,
            )
            for index in range(count)
            for template in self._templates[(first + index) % groups]
        ]
        self._redis.call_packed(b"".join(commands), 2 * len(commands))

    def depth(self) -> int:
        """How many events wait, in the fullest queue."""
        return max(map(int, self._redis.call(self._depths)))


def members_by_queue(names: list[bytes], prefix: str = PREFIX) -> dict[bytes, list[bytes]]:
    """Channels by the key that their process reads."""
    queues: dict[bytes, list[bytes]] = {}
    for name in names:
        queues.setdefault(prefix.encode() + name[: name.index(b"!") + 1], []).append(name)
    return queues


def command_template(queue: bytes, members: list[bytes], text_template: bytes) -> bytes:
    """ZADD and EXPIRE as a `%` template of score, random prefix and the text's own places."""
    sample = event_text(text_template, 0, 0)
    message = {"type": "internal.message", "text": sample.decode(), "needs_relay": True}
    body: bytes = msgpack.packb({**message, "__asgi_channel__": [name.decode() for name in members]})
    packed = pack((b"ZADD", queue, SCORE_PLACE, RANDOM_PLACE + body))
    packed += pack((b"EXPIRE", queue, b"%d" % EXPIRY_SECONDS))
    before, _, after = packed.replace(b"%", b"%%").partition(sample.replace(b"%", b"%%"))
    return before.replace(SCORE_PLACE, b"%d.%06d").replace(RANDOM_PLACE, b"%b") + text_template + after


def pack(words: tuple[bytes, ...]) -> bytes:
    """A command in Redis' protocol."""
    packed: bytes = hiredis.pack_command(words)  # type: ignore[arg-type]  # its stub knows one word only
    return packed


class RedisPipe:
    """A blocking connection that sends packed commands and reads as many answers."""

    def __init__(self, url: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(30)
        parts = urlsplit(url)
        self._socket.connect(parts.path)
        self._reader = hiredis.Reader()
        if parts.query:
            self.call([(b"SELECT", parts.query.removeprefix("db=").encode())])

    def call(self, commands: Sequence[tuple[bytes, ...]]) -> list[Any]:
        """Sends commands, returns their answers."""
        return self.call_packed(b"".join(map(pack, commands)), len(commands))

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
