"""A `group_send` as the scripts that it takes: one, where Redis completes the entries or the members are as they were.

Who runs them waits in one way or another, so the steps are a generator: scripts out, their answers in.
"""

import collections
import time
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from awxfast._rust import EntryFormat
from awxfast.producer.kept_sockets import KeptSockets
from awxfast.producer.redis_socket import RedisSocket
from awxfast.settings import LayerSettings
from awxfast.wire.entry_bodies import is_completed_by_redis, pack_whole
from awxfast.wire.group_send import Script, Word, pack_message, send_one_arguments
from awxfast.wire.send_scripts import SEND_SCRIPTS
from awxfast.wire.whole_send import CHANGED, SEND_WHOLE, send_whole_arguments, sort_by_queue

MOST_GROUPS = 256
"""Groups whose members are remembered."""
CHECKED_TRIES = 3
"""Sends to a group that has other members each time; the next goes to whoever was found last, as in channels_redis."""

Steps = Generator[tuple[Script, Sequence[Word]], Any, Sequence[int]]
"""What comes out in the end: how many queues were full, and of how many."""


class GroupSends:
    """Makes the steps, for one layer. Safe across threads."""

    def __init__(self, layer: LayerSettings, entry_format: EntryFormat) -> None:
        self._layer = layer
        self._format = entry_format
        self._is_completed = is_completed_by_redis(entry_format)
        # Its own operations are atomic, which is all that threads need here.
        self._members: collections.OrderedDict[str, Sequence[bytes]] = collections.OrderedDict()

    def steps(self, group: str, message: Mapping[str, Any]) -> Steps:
        """Sends `message`. Raises `TypeError` for what the serializer can't write."""
        if not self._is_completed:
            return (yield from self._send_whole(group, message))
        words = send_one_arguments(self._layer, group, pack_message(self._layer, message), time.time())
        answer: Sequence[int] = yield SEND_SCRIPTS[self._layer.layer].one, words
        return answer

    def _send_whole(self, group: str, message: Mapping[str, Any]) -> Steps:
        """To the members that were known last, unless Redis says that they are others."""
        members = self._members.get(group, ())
        for _ in range(CHECKED_TRIES):
            answer = yield self._whole(group, members, message, is_checked=True)
            if answer[0] != CHANGED:
                return answer  # type: ignore[no-any-return]  # what Redis says has no type
            members = answer[1:]
            self._remember(group, members)
        last: Sequence[int] = yield self._whole(group, members, message, is_checked=False)
        return last

    def _whole(
        self, group: str, members: Sequence[bytes], message: Mapping[str, Any], *, is_checked: bool
    ) -> tuple[Script, Sequence[Word]]:
        queues = sort_by_queue(members)
        entries = {queue: pack_whole(self._format, message, names) for queue, names in queues.items()}
        expected = members if is_checked else None
        words = send_whole_arguments(self._layer, group, expected, entries, time.time())
        return SEND_WHOLE[self._layer.layer], words

    def _remember(self, group: str, members: Sequence[bytes]) -> None:
        self._members[group] = members
        if len(self._members) > MOST_GROUPS:
            self._members.popitem(last=False)


def run(kept: KeptSockets, steps: Steps) -> Sequence[int]:
    """Runs the steps in code that may block. Raises `ConnectionError`, and `hiredis.ReplyError` for a refusal."""
    answer = None
    while True:
        try:
            script, words = steps.send(answer)
        except StopIteration as end:
            result: Sequence[int] = end.value
            return result
        answer = kept.run_script(script, words)


async def run_later(redis: RedisSocket, steps: Steps) -> Sequence[int]:
    """The same as `run`, in code that must not block."""
    answer = None
    while True:
        try:
            script, words = steps.send(answer)
        except StopIteration as end:
            result: Sequence[int] = end.value
            return result
        answer = await redis.run_script_later(script, words)
