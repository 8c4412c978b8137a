"""A `group_send` as the scripts that it takes: one, where Redis completes the entries or the members are as they were.

Where a layer has several Redis, the group's tells who is in it, each queue stands on its own. Those of awxfast are
where the group is, so that one script does there too; what is on another Redis follows. Who runs the scripts waits in
one way or another, so the steps are a generator: scripts out, their answers in.
"""

import collections
import time
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from awxfast._rust import EntryFormat
from awxfast.settings import LayerSettings
from awxfast.wire.entry_bodies import is_completed_by_redis, pack_whole
from awxfast.wire.group_send import Script, Word, pack_message, send_one_arguments
from awxfast.wire.host_choice import choose_host, sort_by_host
from awxfast.wire.send_scripts import SEND_SCRIPTS
from awxfast.wire.whole_send import CHANGED, SEND_WHOLE, send_whole_arguments, sort_by_queue

MOST_GROUPS = 256
"""Groups whose members are remembered."""
CHECKED_TRIES = 3
"""Sends to a group that has other members each time; the next goes to whoever was found last, as in channels_redis."""

Entries = Mapping[str, bytes]
"""Entries by the queue that each is for."""
Steps = Generator[tuple[int, Script, Sequence[Word]], Any, Sequence[int]]
"""Which Redis, and what it is to run. What comes out in the end: how many queues were full, and of how many."""


class GroupSends:
    """Makes the steps, for one layer. Safe across threads."""

    def __init__(self, layer: LayerSettings, entry_format: EntryFormat, hosts: int = 1) -> None:
        """`hosts`: how many Redis the layer has."""
        self._layer = layer
        self._format = entry_format
        self._hosts = hosts
        self._is_completed = hosts == 1 and is_completed_by_redis(entry_format)
        # Its own operations are atomic, which is all that threads need here.
        self._members: collections.OrderedDict[str, Sequence[bytes]] = collections.OrderedDict()

    def steps(self, group: str, message: Mapping[str, Any]) -> Steps:
        """Sends `message`. Raises `TypeError` for what the serializer can't write."""
        if not self._is_completed:
            return (yield from self._send_whole(group, message))
        words = send_one_arguments(self._layer, group, pack_message(self._layer, message), time.time())
        answer: Sequence[int] = yield 0, SEND_SCRIPTS[self._layer.layer].one, words
        return answer

    def _send_whole(self, group: str, message: Mapping[str, Any]) -> Steps:
        """To the members that were known last, unless Redis says that they are others."""
        home = choose_host(group, self._hosts)
        members: Sequence[bytes] = self._members.get(group, ())
        parts: Mapping[int, Entries] = {}
        for tries_left in reversed(range(CHECKED_TRIES + 1)):
            parts = self._pack(members, message)
            expected = members if tries_left else None
            answer = yield home, *self._script(group, expected, parts.get(home, {}))
            if answer[0] != CHANGED:
                break
            members = answer[1:]
            self._remember(group, members)
        full, queues = answer
        for host, entries in parts.items():
            if host != home:
                more = yield host, *self._script(group, None, entries)
                full, queues = full + more[0], queues + more[1]
        return [full, queues]

    def _pack(self, members: Sequence[bytes], message: Mapping[str, Any]) -> Mapping[int, Entries]:
        """By the Redis that each queue is on."""
        queues = sort_by_queue(members)
        return {
            host: {queue: pack_whole(self._format, message, queues[queue]) for queue in names}
            for host, names in sort_by_host(queues, lambda queue: choose_host(queue, self._hosts)).items()
        }

    def _script(self, group: str, expected: Sequence[bytes] | None, entries: Entries) -> tuple[Script, Sequence[Word]]:
        words = send_whole_arguments(self._layer, group, expected, entries, time.time())
        return SEND_WHOLE[self._layer.layer], words

    def _remember(self, group: str, members: Sequence[bytes]) -> None:
        self._members[group] = members
        if len(self._members) > MOST_GROUPS:
            self._members.popitem(last=False)
