"""Where a master is that Sentinel moves: asked at each connection, and each second while one stands."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from typing import Any

from awxfast.errors import ConfigurationError, RedisError, RedisReplyError, RedisUnavailable
from awxfast.redis.address import RedisAddress
from awxfast.redis.connection import RedisConnection
from awxfast.redis.dialling import dial
from awxfast.redis.option_values import is_host

PATIENCE = 1.0
"""Seconds that one sentinel has before the next is asked, unless its options say otherwise."""

LOOK_SECONDS = 1.0
"""Between two looks whether the master is still the same."""


async def find_master(address: RedisAddress) -> RedisAddress:
    """Where it is at present, by the first sentinel that knows. Raises `RedisUnavailable`."""
    async with ask_sentinels(address) as (_, master):
        return master


@contextlib.asynccontextmanager
async def ask_sentinels(address: RedisAddress) -> AsyncIterator[tuple[RedisConnection, RedisAddress]]:
    """The connection to the first one that knows, and what it says. Raises `RedisUnavailable`."""
    reasons = []
    for sentinel in address.sentinels:
        try:
            connection = await dial(sentinel, sentinel.connect_seconds or PATIENCE, sentinel.answer_seconds or PATIENCE)
        except (RedisError, ConfigurationError) as error:
            reasons.append(str(error))
            continue
        with contextlib.closing(connection):
            try:
                master = await ask(connection, address)
            except RedisError as error:
                reasons.append(f"sentinel at {sentinel}: {error}")
                continue
            yield connection, master
            return
    raise RedisUnavailable(f"Redis at {address}: no sentinel knows the master: {'; '.join(reasons)}")


async def ask(connection: RedisConnection, address: RedisAddress) -> RedisAddress:
    """What one sentinel says. Raises `RedisError`."""
    return read_master(await connection.command(*question(address)), address)


def question(address: RedisAddress) -> tuple[str, ...]:
    """What a sentinel is asked."""
    return ("SENTINEL", "get-master-addr-by-name", address.master_name)


def read_master(reply: Any, address: RedisAddress) -> RedisAddress:
    """What a sentinel has answered. Raises `RedisReplyError` when it knows none."""
    place = read_place(reply)
    if place is None:
        raise RedisReplyError(f"it knows no master {address.master_name}")
    return dataclasses.replace(address, host=place[0], port=place[1], master_name="", sentinels=())


def read_place(reply: Any) -> tuple[str, int] | None:
    """Host and port, of a list of two texts; no resolver would take other names, but raise what nobody expects."""
    match reply:
        case [bytes(host), bytes(port)] if port.isdigit() and len(port) < 6 and 0 < int(port) < 65_536:
            name = host.decode("utf-8", "replace")
            return (name, int(port)) if is_host(name) else None
    return None


async def watch(address: RedisAddress, connection: RedisConnection, master: RedisAddress | None) -> None:
    """Ends the connection to `master` as soon as the sentinels name another one; for ever.

    A master that was cut off, or hangs, would not say itself that it is none any more, and would take what is lost.
    A sentinel that is away, or does not know the master at the moment, says nothing about it. `master` is None where
    another process has connected: it is taken to be the one that is named first.
    """
    while True:
        with contextlib.suppress(RedisError):
            async with ask_sentinels(address) as (sentinel, found):
                master = master or found
                while found == master:
                    await asyncio.sleep(LOOK_SECONDS)
                    if await ask(sentinel, address) != master:
                        break
            connection.close("Sentinel names another master")
            return
        await asyncio.sleep(LOOK_SECONDS)
