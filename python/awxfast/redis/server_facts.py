"""What a Redis or Valkey says about itself."""

import dataclasses

from awxfast.errors import RedisReplyError
from awxfast.redis.connection import RedisConnection
from awxfast.redis.replies import describe, is_number


@dataclasses.dataclass(frozen=True, slots=True)
class ServerFacts:
    """`has_bzmpop`: Redis 7.0, where BLMPOP is new, too. `has_rpop_count`: Redis 6.2. Every Valkey has both.

    `uptime` in seconds; 0.0 when it does not say. `run_id`: random at each of its starts; empty when it does not say.
    """

    has_bzmpop: bool = False
    has_rpop_count: bool = False
    uptime: float = 0.0
    run_id: str = ""

    @classmethod
    def parse(cls, info: bytes) -> "ServerFacts":
        """Reads the reply to `INFO server`."""
        lines = (line.partition(":") for line in info.decode("utf-8", "replace").splitlines())
        fields = {key: value.strip() for key, _, value in lines}
        major, _, rest = fields.get("redis_version", "").partition(".")
        version = [int(number) if number.isdecimal() else 0 for number in (major, rest.partition(".")[0])]
        is_valkey = "valkey_version" in fields
        uptime = fields.get("uptime_in_seconds", "")
        return cls(
            has_bzmpop=is_valkey or version >= [7],
            has_rpop_count=is_valkey or version >= [6, 2],
            uptime=float(uptime) if uptime.isdecimal() else 0.0,
            run_id=fields.get("run_id", ""),
        )


async def ask_facts(connection: RedisConnection) -> ServerFacts:
    """Asks the server. Where INFO is forbidden the oldest server is assumed, whose commands work everywhere."""
    try:
        return ServerFacts.parse(await connection.command("INFO", "server"))
    except RedisReplyError:
        return ServerFacts()


async def is_master(connection: RedisConnection) -> bool:
    """Whether it may be written to, as far as it says."""
    try:
        return b"role:slave" not in await connection.command("INFO", "replication")
    except RedisReplyError:
        return True


async def ask_connection_id(connection: RedisConnection) -> int | None:
    """What the server calls this connection; None where CLIENT is forbidden."""
    try:
        number = await connection.command("CLIENT", "ID")
    except RedisReplyError:
        return None
    if not is_number(number):
        raise connection.distrust(f"{describe(number)} to CLIENT ID")
    return int(number)
