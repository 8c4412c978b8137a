"""The intake: from the bytes of a pop's answer to the fan-out, with a Redis that costs next to nothing."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hiredis
import msgpack
from awxfast._rust import Fanout
from awxfast.intake.drain import BATCH, Drain
from awxfast.redis.address import RedisAddress
from awxfast.redis.reconnect import Outages

from guard.comparison import Compare
from guard.ready_redis import QUEUE, ReadyRedis, answer_of_wait
from guard.samples import RANDOM_PREFIX, event_text, queue_entry

BATCHES = 8
TEXT_BYTES = 400
"""Small enough for a whole answer to fit into a socket's buffer, else calls would depend on that."""


class CountingFanout:
    """The real one, which nobody has subscribed to, and a future for when it has had enough."""

    def __init__(self) -> None:
        self._fanout = Fanout()
        self._missing = 0
        self._enough: asyncio.Future[None] | None = None
        self.wait_time = self._fanout.wait_time
        self.count_gap = self._fanout.count_gap
        self.ledger = self._fanout.ledger
        self.stop = self._fanout.stop

    def expect(self, batches: int) -> asyncio.Future[None]:
        """Done when so many batches have come."""
        self._missing = batches
        self._enough = asyncio.get_running_loop().create_future()
        return self._enough

    def publish_batch(self, entries: Sequence[Any]) -> None:
        self._fanout.publish_batch(entries)
        self._missing -= 1
        if self._missing == 0 and self._enough is not None:
            self._enough.set_result(None)


class Intake:
    """A drain at work in a loop that runs only while batches are expected."""

    def __init__(self, folder: Path, entry: bytes) -> None:
        self.fanout = CountingFanout()
        self._redis = ReadyRedis(entry, BATCH)
        self._runner = asyncio.Runner()
        self._drain = self._runner.run(self._start(str(folder / "redis")))

    async def _start(self, path: str) -> "asyncio.Task[None]":
        self._server = await asyncio.get_running_loop().create_unix_server(lambda: self._redis, path)
        address = RedisAddress.parse(f"unix://{path}")
        drain = Drain(address, QUEUE, self.fanout, Outages(address), expiry=60)
        task = asyncio.create_task(drain.run())
        await drain.wait_up()
        return task

    def take(self, batches: int) -> None:
        """Returns when the fan-out has so many more."""
        self._runner.run(self._take(batches))

    async def _take(self, batches: int) -> None:
        enough = self.fanout.expect(batches)
        self._redis.grant(batches)
        await enough

    def close(self) -> None:
        self._runner.run(self._stop())
        self._runner.close()
        self.fanout.stop()

    async def _stop(self) -> None:
        self._drain.cancel()
        await asyncio.gather(self._drain, return_exceptions=True)
        self._server.close()
        self._redis.close()
        await asyncio.sleep(0)


def test_intake(compare: Compare, tmp_path: Path) -> None:
    entry = queue_entry(event_text(TEXT_BYTES))
    answer = answer_of_wait(entry, BATCH)
    intake = Intake(tmp_path, entry)
    reader = hiredis.Reader()

    def take_in_python() -> None:
        for _ in range(BATCHES):
            reader.feed(answer)
            for member, score in reader.gets()[1]:
                msgpack.unpackb(member[len(RANDOM_PREFIX) :])
                float(score)

    try:
        compare(lambda: intake.take(BATCHES), take_in_python)
        compare.count_calls(lambda: intake.take(BATCHES), BATCHES * BATCH)
        events = intake.fanout.ledger()["events"]
        assert (events["no_subscriber"], events["rejected"]) == (events["in"], {})
    finally:
        intake.close()
