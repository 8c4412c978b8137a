"""A master that ends under load: its sentinels make the replica the master, and events come from there."""

import asyncio
import contextlib
import json
import logging
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from awxfast.intake.intake import Intake
from awxfast.settings import Settings
from remembering_fanout import RememberingFanout, eventually
from sentinels import Watched

log = logging.getLogger(__name__)

PRODUCER = Path(__file__).with_name("restless_producer.py")


def start_producer(watched: Watched) -> subprocess.Popen[bytes]:
    host = {**watched.host, "socket_timeout": 1.0}
    return subprocess.Popen([sys.executable, str(PRODUCER), json.dumps(host)])


@contextlib.asynccontextmanager
async def under_load(watched: Watched, fanout: RememberingFanout) -> AsyncIterator[Intake]:
    """An intake, and a stock producer that goes on sending the time (monotonic)."""
    intake = Intake(Settings(), watched.address, fanout)
    await intake.start()
    await intake.hold(["a"])
    producer = start_producer(watched)
    try:
        await eventually(lambda: len(fanout.texts()) > 100)
        yield intake
    finally:
        producer.kill()
        producer.wait()
        await intake.stop()


async def event_sent_after(moment: float, fanout: RememberingFanout) -> None:
    await eventually(lambda: any(float(text) > moment for text in fanout.texts()[-100:]), 60)


def kill(watched: Watched) -> None:
    watched.servers[watched.first].kill()


def stop(watched: Watched) -> None:
    process = watched.servers[watched.first].process
    assert process is not None
    process.send_signal(signal.SIGSTOP)


def move(watched: Watched) -> None:
    with watched.sentinels[0].client() as client, contextlib.suppress(Exception):
        client.execute_command("SENTINEL", "FAILOVER", "mymaster")


@pytest.mark.parametrize("end", [kill, stop, move])
async def test_events_come_from_the_new_master_and_what_is_lost_is_a_counted_gap(
    watched: Watched, fanout: RememberingFanout, end: Callable[[Watched], None]
) -> None:
    async with under_load(watched, fanout) as intake:
        await asyncio.to_thread(end, watched)
        await asyncio.to_thread(watched.wait_for_new_master)
        named = time.monotonic()
        await event_sent_after(named, fanout)
        log.warning("events again %.2f s after the new master was named", time.monotonic() - named)
        await eventually(lambda: intake.ready)
        await eventually(lambda: fanout.gaps["pop_broken"] >= 1)
        with watched.servers[watched.second].client() as client:
            await eventually(lambda: client.zscore("asgi:group:a", intake.names.channel("g.a")))
    times = [float(text) for text in fanout.texts()]
    assert times == sorted(set(times))


async def test_master_that_says_it_is_none_is_looked_up_anew(watched: Watched, fanout: RememberingFanout) -> None:
    async with under_load(watched, fanout) as intake:
        for one in watched.sentinels:
            one.process.send_signal(signal.SIGSTOP)  # so that nobody but the former master says anything
        with watched.servers[watched.second].client() as client:
            client.execute_command("REPLICAOF", "NO", "ONE")
        with watched.servers[watched.first].client() as client:
            client.execute_command("REPLICAOF", "127.0.0.1", watched.second)
        await eventually(lambda: not intake.ready)
        for one in watched.sentinels:
            one.process.send_signal(signal.SIGCONT)
        await asyncio.to_thread(watched.wait_for_new_master)
        await event_sent_after(time.monotonic(), fanout)
