"""One process's registrations, running."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator

from awxfast.intake.groups import Groups
from awxfast.intake.names import ProcessNames
from awxfast.intake.registration import Registration
from awxfast.redis.address import RedisAddress
from awxfast.redis.group_writer import GroupWriter
from awxfast.redis.reconnect import Outages
from awxfast.settings import LayerSettings
from remembering_fanout import RememberingFanout


@dataclasses.dataclass
class Process:
    """One process's registrations, running."""

    registration: Registration
    groups: Groups
    names: ProcessNames
    task: asyncio.Task[None]

    async def stop(self) -> None:
        self.registration.request_stop()
        await asyncio.wait_for(self.task, 20)


@contextlib.asynccontextmanager
async def running(
    address: RedisAddress,
    fanout: RememberingFanout,
    *,
    prefix: str = "asgi",
    capacity: int = 10_000,
    group_expiry: int = 86_400,
) -> AsyncIterator[Process]:
    names = ProcessNames(prefix)
    groups = Groups(names, fanout, group_expiry)
    writer = GroupWriter(LayerSettings(prefix=prefix, capacity=capacity, group_expiry=group_expiry))
    registration = Registration(
        address, names, groups, fanout, Outages(address), writer=writer, capacity=capacity, group_expiry=group_expiry
    )
    task = asyncio.create_task(registration.run())
    try:
        await registration.wait_up()
        yield Process(registration, groups, names, task)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
