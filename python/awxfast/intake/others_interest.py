"""Which groups the processes on this Redis want: what a node that links is told first."""

from collections.abc import AsyncIterator

from awxfast.errors import RedisReplyError
from awxfast.intake.announcements import Announcements, speaker_of
from awxfast.intake.clean_up import find_tokens
from awxfast.intake.names import ProcessNames
from awxfast.redis.commands import Argument
from awxfast.redis.connection import RedisConnection
from awxfast.wire.backplane import Notice

TURN_TOLD = 1_000
"""Groups that a node is told of in one turn of the loop."""


async def list_others_interest(
    connection: RedisConnection, names: ProcessNames, announcements: Announcements
) -> AsyncIterator[Notice]:
    """Notices of each other living process that announces, each as soon as it is known. Raises `RedisError`."""
    for token in sorted(await find_tokens(connection) - {names.token}):
        other = ProcessNames(names.prefix, token)
        lives, announced_in, prefix = await connection.commands(
            [("EXISTS", other.process_key), ("EXISTS", other.announced_in_key), ("GET", other.prefix_key)]
        )
        if lives != 1 or announced_in != 1 or prefix != names.prefix.encode():
            continue
        async for groups in _scan_groups(connection, other):
            wanted = [group for group in announcements.list_wanted(groups) if group != other.sentinel]
            yield Notice(True, tuple(sorted(wanted)), speaker_of(other))


async def _scan_groups(connection: RedisConnection, process: ProcessNames) -> AsyncIterator[list[str]]:
    """Some at a time, and perhaps some more than once: there may be a hundred thousand."""
    cursor: Argument = b"0"
    while True:
        (reply,) = await connection.commands([("SSCAN", process.groups_key, cursor, "COUNT", TURN_TOLD)])
        if isinstance(reply, RedisReplyError):
            return
        cursor, members = reply
        yield [member.decode("utf-8", "replace") for member in members]
        if cursor == b"0":
            return
