"""The scripts of a `group_send`, by the form of the layer; and those for queues that are lists, as in channels_redis 2.

They take the arguments of `group_send`'s, of which lists need neither scores nor the age of the oldest entry.
"""

from typing import NamedTuple

from awxfast.wire.group_send import SEND_MANY, SEND_ONE, QueueCommands, Script

LISTS = QueueCommands(b"LLEN", b"LPUSH", has_scores=False)

LIST_SEND_ONE = LISTS.make_send_one()
"""One message; the answer is that of `SEND_ONE`."""

LIST_SEND_MANY = LISTS.make_send_many()
"""Messages in their order; the answer is that of `SEND_MANY`."""


class SendScripts(NamedTuple):
    """Writes one message, and many."""

    one: Script
    many: Script


SEND_SCRIPTS = {"core": SendScripts(SEND_ONE, SEND_MANY), "lists": SendScripts(LIST_SEND_ONE, LIST_SEND_MANY)}
"""By the form of the layer (`LayerSettings.layer`)."""
