"""`awxfast demo`: starts all the parts, shows what they do, and ends with a summary."""

import asyncio
import contextlib
import math
import signal
from collections import Counter

import aiohttp
import uvloop

from awxfast.demo.browsers import Browser, Tally
from awxfast.demo.job_producer import JobProducer
from awxfast.demo.node_command import run_nodes
from awxfast.demo.plan import Plan
from awxfast.demo.relay import RelayProcess
from awxfast.demo.site import Site
from awxfast.demo.start_up import StartUp
from awxfast.redis.private import PrivateRedis

JOBS = [41, 42, 43]
PROGRESS_INTERVAL = 4.0
DRAIN_PATIENCE = 3.0
"""Seconds without a new frame after which what is missing counts as lost."""


def run(plan: Plan, start_up: StartUp) -> int:
    """Runs the demo; returns the exit code. `start_up` ends when the page can be opened."""
    if plan.engine:
        return run_nodes(plan, start_up)
    print("Starting a Redis server, awxfast, browsers and producers", flush=True)
    private = PrivateRedis(allow_wheel=True)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            summary = runner.run(Demo(plan).run(private.url, start_up))
    finally:
        private.stop()
    print(summary)
    return 0


class Demo:
    """The parts, in the order in which they start; they stop in the opposite one."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._tally = Tally()
        self._browsers = [Browser(self._tally, self._choose_groups(number)) for number in range(plan.browsers)]
        self._producer: JobProducer | None = None
        self._stop = asyncio.Event()

    async def run(self, redis_url: str, start_up: StartUp) -> str:
        """Runs until the time is over or Ctrl-C; returns the summary."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)
        async with contextlib.AsyncExitStack() as parts:
            relay = await RelayProcess.start(redis_url)
            parts.push_async_callback(relay.stop)
            session = await parts.enter_async_context(aiohttp.ClientSession())
            await self._open_browsers(parts, session, f"ws://{relay.address}/websocket/")
            site = await Site(session, relay.address, relay.admin, JOBS).open()
            parts.push_async_callback(site.stop)
            start_up.end()
            print(f"Redis at {redis_url}, relay at {relay.address}, status page at http://{relay.admin}/")
            print(f"Open {site.url} in a browser; Ctrl-C ends the demo", flush=True)
            await self._produce(redis_url)
            await self._drain()
        return self._summary()

    def _choose_groups(self, number: int) -> dict[str, list[str | int]]:
        """Every second browser looks at all jobs, the others at one."""
        jobs = JOBS if number % 2 == 0 else [JOBS[number // 2 % len(JOBS)]]
        return {"job_events": list(jobs), "jobs": ["status_changed"]}

    async def _open_browsers(self, parts: contextlib.AsyncExitStack, session: aiohttp.ClientSession, url: str) -> None:
        for browser in self._browsers:
            parts.push_async_callback(browser.close)
            await browser.open(session, url)

    async def _produce(self, redis_url: str) -> None:
        producer = await JobProducer.start(redis_url, self._plan.rate, JOBS)
        self._producer = producer
        await self._wait(producer.reports)
        await producer.stop()

    async def _wait(self, reports: asyncio.Future[None]) -> None:
        """Until the time is over, Ctrl-C, or the end of the producers; tells how it goes."""
        loop = asyncio.get_running_loop()
        end = loop.time() + (self._plan.seconds or math.inf)
        stop = asyncio.ensure_future(self._stop.wait())
        while not stop.done() and not reports.done() and (left := end - loop.time()) > 0:
            await asyncio.wait(
                (stop, reports), timeout=min(left, PROGRESS_INTERVAL), return_when=asyncio.FIRST_COMPLETED
            )
            self._print_progress()
        stop.cancel()

    def _print_progress(self) -> None:
        half, most = self._tally.percentile(0.5), self._tally.percentile(0.99)
        print(
            f"{self._sent.total()} events, {self._tally.frames} frames, p50 {half:.1f} ms, p99 {most:.1f} ms",
            flush=True,
        )

    async def _drain(self) -> None:
        """Waits for frames that are under way, until none has come for a while."""
        loop = asyncio.get_running_loop()
        seen, since = -1, loop.time()
        while self._tally.frames < self._expected and loop.time() - since < DRAIN_PATIENCE:
            if self._tally.frames != seen:
                seen, since = self._tally.frames, loop.time()
            await asyncio.sleep(0.05)

    @property
    def _sent(self) -> Counter[str]:
        return self._producer.sent if self._producer is not None else Counter()

    @property
    def _expected(self) -> int:
        return sum(self._sent[group] for browser in self._browsers for group in browser.group_names)

    def _summary(self) -> str:
        lost = self._expected - self._tally.frames
        half, most = (math.ceil(self._tally.percentile(share)) for share in (0.5, 0.99))
        frames = self._tally.frames
        return f"demo: events {self._sent.total()}, frames {frames}, lost {lost}, p50 {half} ms, p99 {most} ms"
