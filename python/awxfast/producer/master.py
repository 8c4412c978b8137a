"""Where a master is that Sentinel moves, asked in code that may block: at each connection, and after a failure."""

import contextlib
import dataclasses

import hiredis

from awxfast.errors import ConfigurationError, RedisReplyError
from awxfast.producer.redis_socket import RedisSocket
from awxfast.redis.address import RedisAddress
from awxfast.redis.sentinel import PATIENCE, question, read_master


def connect_to_master(address: RedisAddress) -> RedisSocket:
    """To the Redis of the address, or the one that its sentinels name. Raises `ConnectionError`."""
    return RedisSocket.connect(find_master(address) if address.master_name else address)


def find_master(address: RedisAddress) -> RedisAddress:
    """Where it is at present, by the first sentinel that knows. Raises `ConnectionError`."""
    reasons = []
    for sentinel in address.sentinels:
        try:
            return ask(sentinel, address)
        except (ConnectionError, ConfigurationError, RedisReplyError, hiredis.ReplyError) as error:
            reasons.append(f"sentinel at {sentinel}: {error}")
    raise ConnectionError(f"Redis at {address}: no sentinel knows the master: {'; '.join(reasons)}")


def ask(sentinel: RedisAddress, address: RedisAddress) -> RedisAddress:
    """What one sentinel says."""
    with contextlib.closing(RedisSocket.connect(with_patience(sentinel))) as redis:
        return read_master(redis.ask(*question(address)), address)


def with_patience(sentinel: RedisAddress) -> RedisAddress:
    """The next one is asked soon: a machine that is gone with its master would not answer at all."""
    return dataclasses.replace(
        sentinel,
        connect_seconds=sentinel.connect_seconds or PATIENCE,
        answer_seconds=sentinel.answer_seconds or PATIENCE,
    )


def may_have_moved(error: Exception) -> bool:
    """Whether the master may be elsewhere: it is gone, or says that it is none any more."""
    return isinstance(error, ConnectionError) or "READONLY" in str(error)
