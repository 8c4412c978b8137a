"""The made-up AWX: a process that sends job events as AWX's own processes do, until its stdin ends.

    python -m awxfast.demo.producers REDIS_URL EVENTS_A_SECOND JOB...

With channels_redis installed its unmodified `group_send` is used, else the same bytes are written by `sending_layer`.
Each second, and once more at the end, a line of JSON on stdout says how many events each group got so far.
"""

import asyncio
import datetime
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol, TextIO

from awxfast.demo.events import MadeUpJob
from awxfast.demo.sending_layer import SendingLayer
from awxfast.settings import LayerSettings
from awxfast.wire.group_send import EVENT_TYPE

STATUS_GROUP = "jobs-status_changed"
TICK = 0.01


class Layer(Protocol):
    """What producers need of a channel layer."""

    async def group_send(self, group: str, message: Mapping[str, str | bool]) -> None: ...

    async def close_pools(self) -> None: ...


def build_layer(url: str) -> Layer:
    """channels_redis' own layer where it is installed."""
    try:
        from channels_redis.core import RedisChannelLayer
    except ImportError:
        return SendingLayer(url)
    layer: Layer = RedisChannelLayer(hosts=[url], capacity=LayerSettings().capacity)
    return layer


class Producers:
    """Sends the jobs' events, all of them together at a steady rate, and counts what it sent."""

    def __init__(self, layer: Layer, rate: float, jobs: Sequence[int]) -> None:
        self._layer = layer
        self._rate = rate / len(jobs)
        self._jobs = [MadeUpJob(job) for job in jobs]
        self._stopped = False
        self.sent: Counter[str] = Counter()

    def stop(self) -> None:
        """Ends `run` after the event that is being sent, so that the counts stay exact."""
        self._stopped = True

    async def run(self) -> None:
        """Sends events until `stop` is set."""
        await asyncio.gather(*(self._run_job(job) for job in self._jobs))

    async def _run_job(self, job: MadeUpJob) -> None:
        """One job, an event after the other; what can't be sent within a second is not made up for later."""
        await self._send(STATUS_GROUP, job.status("running"))
        due, last = 0.0, time.monotonic()
        while not self._stopped:
            await asyncio.sleep(TICK)
            now = time.monotonic()
            due, last = min(due + (now - last) * self._rate, max(1.0, self._rate)), now
            while due >= 1 and not self._stopped:
                await self._send_next(job)
                due -= 1

    async def _send_next(self, job: MadeUpJob) -> None:
        text, ends_run = job.next_event(datetime.datetime.now(datetime.UTC))
        await self._send(job.group, text)
        if ends_run:
            await self._send(STATUS_GROUP, job.status("successful"))
            await self._send(STATUS_GROUP, job.status("running"))

    async def _send(self, group: str, text: str) -> None:
        await self._layer.group_send(group, {"type": EVENT_TYPE, "text": text, "needs_relay": True})
        self.sent[group] += 1


async def produce(url: str, rate: float, jobs: Sequence[int]) -> None:
    """Sends until stdin ends, reporting each second."""
    layer = build_layer(url)
    producers = Producers(layer, rate, jobs)
    sender = asyncio.ensure_future(producers.run())
    ended = asyncio.ensure_future(wait_for_end(sys.stdin))
    while not ended.done() and not sender.done():
        await asyncio.wait((ended, sender), timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
        report(producers.sent)
    producers.stop()
    await sender
    await layer.close_pools()
    report(producers.sent)


def report(sent: Mapping[str, int]) -> None:
    """The counts so far."""
    print(json.dumps(sent), flush=True)


async def wait_for_end(stream: TextIO) -> None:
    """Returns when the stream's writer has closed it."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), stream)
    await reader.read()


def main(words: Sequence[str]) -> int:
    """Returns the exit code; a failure is one line on stderr."""
    try:
        asyncio.run(produce(words[0], float(words[1]), [int(word) for word in words[2:]]))
    except Exception as error:
        print(f"the demo's producers ended: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
