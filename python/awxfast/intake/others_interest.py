"""Which groups the processes on this Redis want: what a node that links is told first."""

from collections.abc import AsyncIterator

from awxfast.errors import RedisReplyError
from awxfast.intake.announcements import Announcements, speaker_of
from awxfast.intake.clean_up import find_tokens
from awxfast.intake.names import ProcessNames
from awxfast.redis.connection import RedisConnection
from awxfast.wire.backplane import Notice


async def list_others_interest(
    connection: RedisConnection, names: ProcessNames, announcements: Announcements
) -> AsyncIterator[Notice]:
    """A notice for each other living process that announces, as soon as it is known. Raises `RedisError`."""
    for token in sorted(await find_tokens(connection) - {names.token}):
        other = ProcessNames(names.prefix, token)
        lives, announced_in, prefix, members = await connection.commands(
            [
                ("EXISTS", other.process_key),
                ("EXISTS", other.announced_in_key),
                ("GET", other.prefix_key),
                ("SMEMBERS", other.groups_key),
            ]
        )
        announces = lives == 1 and announced_in == 1
        if isinstance(members, RedisReplyError) or not announces or prefix != names.prefix.encode():
            continue
        groups = [member.decode("utf-8", "replace") for member in members]
        wanted = [group for group in announcements.list_wanted(groups) if group != other.sentinel]
        yield Notice(True, tuple(sorted(wanted)), speaker_of(other))
