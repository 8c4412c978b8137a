"""Opens connections to a Redis, wherever it is at present."""

import asyncio

from awxfast.redis.address import ANSWER_SECONDS, RedisAddress
from awxfast.redis.connection import REPLY_LIMIT, RedisConnection
from awxfast.redis.dialling import dial
from awxfast.redis.sentinel import find_master, watch


async def open_connection(
    address: RedisAddress,
    seconds: float = ANSWER_SECONDS,
    patience: float = ANSWER_SECONDS,
    reply_limit: int = REPLY_LIMIT,
    kind: type[RedisConnection] = RedisConnection,
) -> RedisConnection:
    """Connects, logs in and selects the database, within `seconds`.

    Where the address has times of its own, they take the place of five seconds in both limits.

    Raises `RedisUnavailable` when another try may help, `ConfigurationError` when it can't.
    """
    seconds = max(seconds, address.connect_seconds or 0.0)
    patience += (address.answer_seconds or ANSWER_SECONDS) - ANSWER_SECONDS
    if not address.master_name:
        return await dial(address, seconds, patience, reply_limit, kind)
    master = await find_master(address)
    connection = await dial(master, seconds, patience, reply_limit, kind)
    keep_watch(address, connection, master)
    return connection


def keep_watch(address: RedisAddress, connection: RedisConnection, master: RedisAddress | None = None) -> None:
    """Where Sentinel names the master, the connection ends when that is another one (`sentinel.watch`)."""
    if address.master_name:
        watching = asyncio.get_running_loop().create_task(watch(address, connection, master))
        connection.lost.add_done_callback(lambda _: watching.cancel())
