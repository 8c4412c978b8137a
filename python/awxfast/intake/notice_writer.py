"""Writes notices in the backplane's group of a layer with several Redis: they follow each other as they were given."""

import asyncio
import collections
import dataclasses
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from awxfast.intake.group_layout import Command
from awxfast.redis.group_writer import Scores
from awxfast.redis.replies import is_texts
from awxfast.settings import LayerSettings
from awxfast.wire.backplane import UNSUBSCRIBE
from awxfast.wire.group_send import pack_message
from awxfast.wire.host_choice import choose_host
from awxfast.wire.queue_send import (
    FIND_MEMBERS,
    SEND_TO_QUEUES,
    find_members_arguments,
    send_to_queues_arguments,
    sort_by_host,
)

Send = Callable[[list[Command]], asyncio.Future[list[Any]]]

MOST_UNSAID = 1_000
"""Farewells that are kept for a Redis that is away; without them nodes go on sending what nobody wants, no more."""

_Said = tuple[str, str, Sequence[Mapping[str, Any]]]
"""The layer's prefix, the group, and messages."""


class NoticeWriter:
    """Asks the group's Redis who is in it, then writes to each one's queue, on the connections of registrations."""

    def __init__(self, layer: LayerSettings, senders: Sequence[Send]) -> None:
        """`senders`: send commands to each Redis while it is there."""
        self._layer = layer
        self._senders = senders
        self._scores = Scores()
        self._unsaid: collections.deque[_Said] = collections.deque(maxlen=MOST_UNSAID)

    def _find_home(self, group: str) -> int:
        """Which Redis knows who is in the group: while it is away, nothing is said."""
        return choose_host(group, len(self._senders))

    def write_again(self, host: int) -> None:
        """This Redis is back: says that groups are wanted no more, of which it was not told. Others are told anew."""
        unsaid, self._unsaid = self._unsaid, collections.deque(maxlen=MOST_UNSAID)
        for prefix, group, messages in unsaid:
            if self._find_home(group) == host:
                self.write(prefix, group, messages)
            else:
                self._unsaid.append((prefix, group, messages))

    def write(self, prefix: str, group: str, messages: Sequence[Mapping[str, Any]]) -> None:
        """Nobody waits for it. Answers of one connection come in the order of what was asked, and so do notices."""
        if not messages:
            return
        now = time.time()
        arguments = find_members_arguments(self._under(prefix), [group], now)
        asked = self._senders[self._find_home(group)]([("EVAL", FIND_MEMBERS.text, 0, *arguments)])
        asked.add_done_callback(functools.partial(self._send_to_members, (prefix, group, messages), now))

    def _send_to_members(self, said: _Said, now: float, asked: asyncio.Future[list[Any]]) -> None:
        prefix, group, messages = said
        if asked.cancelled() or asked.exception() is not None:  # the connection broke, or there is none
            if messages[0]["type"] == UNSUBSCRIBE:
                self._unsaid.append((prefix, group, messages))
            return
        found = asked.result()[0]
        if type(found) is not list or not found or not is_texts(found[0]):
            return  # it refuses: nobody could read what is written
        scored = [(self._scores.next(now), pack_message(self._layer, message)) for message in messages]
        for host, queues in sort_by_host(found[0], len(self._senders)).items():
            arguments = send_to_queues_arguments(self._under(prefix), [(*entry, queues) for entry in scored], now)
            self._senders[host]([("EVAL", SEND_TO_QUEUES.text, 0, *arguments)])

    def _under(self, prefix: str) -> LayerSettings:
        return dataclasses.replace(self._layer, prefix=prefix)
