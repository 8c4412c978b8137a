"""Workers die while all are at work: it costs nobody of another worker anything, and nothing is forgotten."""

import asyncio
import os
import signal
from collections.abc import Callable

import pytest
from channels_redis.core import RedisChannelLayer
from ledger_watch import BALANCED, Watching
from redis_servers import RedisServer
from reloaded_site import Site
from returning_browsers import Events, Returning

pytestmark = pytest.mark.timeout(600)
SCALES = [pytest.param(40, 3, 0.5, id="few"), pytest.param(200, 12, 5, marks=pytest.mark.long, id="many")]


@pytest.mark.parametrize(("count", "deaths", "pause"), SCALES)
async def test_deaths_cost_nobody_of_the_other_worker_an_event_or_a_socket(
    start_site: Callable[..., Site],
    producer: RedisChannelLayer,
    redis_server: RedisServer,
    count: int,
    deaths: int,
    pause: float,
) -> None:
    site = start_site("--workers", "2")
    killed: list[int] = []
    events = Events(producer, 0.1)
    may_come = asyncio.Event()
    everybody = [Returning(site.port, events, lambda: len(killed), may_come) for _ in range(count)]
    may_come.set()
    await until_served(site, everybody)
    watching = Watching(site.server)
    for number in range(deaths):
        dies = site.server.ledger()["workers"][number % 2]["pid"]
        may_come.clear()
        killed.append(dies)
        os.kill(dies, signal.SIGKILL)
        await asyncio.sleep(pause)
        await site.until(lambda: not {*killed} & {*site.children()} and site.server.ask("/readyz").startswith("ok"))
        may_come.set()
        await until_served(site, everybody)
    await events.end()
    await site.until(lambda: all(one.visits[-1].heard[-1:] == [events.begun - 1] for one in everybody))
    await watching.end()
    assert_nobody_of_another_lost_anything(everybody, events.begun, killed)
    ledger = site.server.ledger()
    assert (ledger["clients"], ledger["balance"]) == (count, BALANCED)
    assert ledger["gaps"]["died"]["times"] == deaths
    for one in everybody:
        one.task.cancel()
    await asyncio.wait([one.task for one in everybody])
    assert await asyncio.to_thread(site.server.stop) == 0
    # A stock producer asks who is in the group, then sends: to one that is removed in between, what it leaves expires.
    await site.until(lambda: redis_server.client().keys("*") == [])


async def until_served(site: Site, everybody: list[Returning]) -> None:
    """Both serve somebody, and everybody is there again."""
    both = {*site.children()}
    await site.until(lambda: all(one.is_served(both) for one in everybody))
    assert {one.visits[-1].pid for one in everybody} == both


def assert_nobody_of_another_lost_anything(everybody: list[Returning], begun: int, killed: list[int]) -> None:
    visits = [visit for one in everybody for visit in one.visits]
    assert {visit.pid for visit in visits if visit.is_lost} <= {*killed}
    assert [visit for visit in visits if visit.heard != sorted({*visit.heard})] == []
    assert [misses for visit in visits if (misses := visit.misses(begun))] == []
    assert [one.refused_without_death for one in everybody] == [0] * len(everybody)
