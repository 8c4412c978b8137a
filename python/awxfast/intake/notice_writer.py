"""Writes notices in the backplane's group of a layer with several Redis: they follow each other as they were given."""

import asyncio
import collections
import dataclasses
import functools
import time
from collections.abc import Mapping, Sequence
from typing import Any

from awxfast._rust import EntryFormat
from awxfast.redis.commands import SendCommands
from awxfast.redis.whole_group_writer import WholeGroupWriter, is_members
from awxfast.settings import LayerSettings
from awxfast.wire.backplane import UNSUBSCRIBE
from awxfast.wire.host_choice import choose_host, sort_by_host
from awxfast.wire.whole_send import FIND_MEMBERS, WRITE_WHOLE, find_members_arguments, write_whole_arguments

MOST_UNSAID = 1_000
"""Farewells that are kept for a Redis that is away; without them nodes go on sending what nobody wants, no more."""

_Said = tuple[str, str, Sequence[Mapping[str, Any]]]
"""The layer's prefix, the group, and messages."""


class NoticeWriter(WholeGroupWriter):
    """Asks the group's Redis who is in it, then writes to each one's queue, on the connections of registrations."""

    def __init__(self, layer: LayerSettings, entry_format: EntryFormat, senders: Sequence[SendCommands]) -> None:
        """`senders`: send commands to each Redis while it is there."""
        super().__init__(layer, entry_format)
        self._senders = senders
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
        arguments = find_members_arguments(self._at(prefix), [group], now)
        asked = self._senders[self._find_home(group)]([("EVAL", FIND_MEMBERS.text, 0, *arguments)])
        asked.add_done_callback(functools.partial(self._send_to_members, (prefix, group, messages), now))

    def _send_to_members(self, said: _Said, now: float, asked: asyncio.Future[list[Any]]) -> None:
        prefix, group, messages = said
        if asked.cancelled() or asked.exception() is not None:  # the connection broke, or there is none
            if messages[0]["type"] == UNSUBSCRIBE:
                self._unsaid.append((prefix, group, messages))
            return
        found = asked.result()[0]
        if not is_members(found, 1):
            return  # it refuses: nobody could read what is written
        entries = [entry for message in messages for entry in self._pack(found[0], message, now)]
        for host, part in sort_by_host(entries, lambda entry: choose_host(entry[0], len(self._senders))).items():
            arguments = write_whole_arguments(self._at(prefix), part, now)
            self._senders[host]([("EVAL", WRITE_WHOLE[self._layer.layer].text, 0, *arguments)])

    def _at(self, prefix: str) -> LayerSettings:
        return dataclasses.replace(self._layer, prefix=prefix)
