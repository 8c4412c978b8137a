"""A `group_send` where a layer has several Redis: the group's tells who is in it, each queue stands on its own.

Those of awxfast are where the group is, so that one script does: it writes to whoever was a member last, unless there
are others now. What is on another Redis follows.
"""

import time
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from awxfast._rust import EntryFormat
from awxfast.producer.group_sends import CHECKED_TRIES, GroupSends
from awxfast.producer.kept_sockets import KeptSockets
from awxfast.redis.address import RedisAddress
from awxfast.settings import LayerSettings
from awxfast.wire.entry_bodies import pack_whole
from awxfast.wire.group_send import Script, Word
from awxfast.wire.host_choice import choose_host, sort_by_host
from awxfast.wire.whole_send import CHANGED, SEND_WHOLE, send_whole_arguments, sort_by_queue

Entries = Mapping[str, bytes]
"""Entries by the queue that each is for."""
Steps = Generator[tuple[int, Script, Sequence[Word]], Any, tuple[int, int]]
"""Which Redis, and what it is to run. What comes out in the end: how many queues were full, and of how many."""


class HostGroupSends(GroupSends):
    """Makes the steps, for one layer. Safe across threads."""

    def __init__(self, layer: LayerSettings, entry_format: EntryFormat, hosts: int) -> None:
        super().__init__(layer, entry_format)
        self._hosts = hosts

    def host_steps(self, group: str, message: Mapping[str, Any]) -> Steps:
        """Sends `message`. Raises `TypeError` for what the serializer can't write."""
        home = choose_host(group, self._hosts)
        members: Sequence[bytes] = self._members.get(group, ())
        parts: Mapping[int, Entries] = {}
        for tries_left in reversed(range(CHECKED_TRIES + 1)):
            parts = self._pack_parts(members, message)
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
        return full, queues

    def _pack_parts(self, members: Sequence[bytes], message: Mapping[str, Any]) -> Mapping[int, Entries]:
        queues = sort_by_queue(members)
        return {
            host: {queue: pack_whole(self._format, message, queues[queue]) for queue in names}
            for host, names in sort_by_host(queues, str, self._hosts).items()
        }

    def _script(self, group: str, expected: Sequence[bytes] | None, entries: Entries) -> tuple[Script, Sequence[Word]]:
        words = send_whole_arguments(self._layer, group, expected, entries, time.time())
        return SEND_WHOLE[self._layer.layer], words


class HostSends:
    """Sends to several Redis, over connections that the process keeps."""

    def __init__(self, layer: LayerSettings, entry_format: EntryFormat, addresses: Sequence[RedisAddress]) -> None:
        self._kept = [KeptSockets(address) for address in addresses]
        self._sends = HostGroupSends(layer, entry_format, len(addresses))

    def send(self, group: str, message: Mapping[str, Any]) -> tuple[int, int]:
        """In code that may block. Raises `ConnectionError`, and `hiredis.ReplyError` for a refusal."""
        steps, answer = self._sends.host_steps(group, message), None
        while True:
            try:
                host, script, words = steps.send(answer)
            except StopIteration as end:
                return read_result(end)
            answer = self._kept[host].run_script(script, words)

    async def send_later(self, group: str, message: Mapping[str, Any]) -> tuple[int, int]:
        """The same as `send`, in code that must not block."""
        steps, answer = self._sends.host_steps(group, message), None
        while True:
            try:
                host, script, words = steps.send(answer)
            except StopIteration as end:
                return read_result(end)
            with self._kept[host].borrow() as redis:
                answer = await redis.run_script_later(script, words)

    def close(self) -> None:
        """Closes those that are idle."""
        for kept in self._kept:
            kept.close()


def read_result(end: StopIteration) -> tuple[int, int]:
    """How many queues were full, and of how many."""
    result: tuple[int, int] = end.value
    return result
