"""`awxfast demo --engine KIND`: three nodes on one page, one of which is killed now and then, and comes back."""

import asyncio
import contextlib
import math
import signal

import aiohttp
import uvloop

from awxfast.demo.browsers import Tally
from awxfast.demo.demo_node import DemoNode
from awxfast.demo.engine_servers import STARTERS
from awxfast.demo.node_browser import NodeBrowser
from awxfast.demo.node_site import NodeSite
from awxfast.demo.plan import Plan
from awxfast.demo.start_up import StartUp
from awxfast.errors import StartError

JOBS = [41, 42, 43]
FIRST_KILL, DOWN, BETWEEN = 6.0, 4.0, 15.0
"""Seconds until a node is killed, that it is away, and until the next time."""
PROGRESS_INTERVAL = 4.0
HEAR_TIMEOUT = 60.0
DRAIN = 1.0
"""Seconds without a new frame after which none is under way any more."""


def run_nodes(plan: Plan, start_up: StartUp) -> int:
    """Runs the demo; returns the exit code. `start_up` ends when the page can be opened."""
    print(f"Starting {plan.engine}, three nodes, browsers and producers", flush=True)
    engine = STARTERS[plan.engine]()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            summary = runner.run(NodeDemo(plan, engine.url).run(start_up))
    finally:
        engine.stop()
    print(summary)
    return 0


class NodeDemo:
    """The parts, in the order in which they start; they stop in the opposite one."""

    def __init__(self, plan: Plan, engine_url: str) -> None:
        self._plan = plan
        self._engine_url = engine_url
        rate = plan.rate / len(JOBS)
        self._nodes = [DemoNode(f"node-{number}", job, engine_url, rate) for number, job in enumerate(JOBS, 1)]
        self._tally = Tally()
        nodes = [self._nodes[number % len(JOBS)] for number in range(plan.browsers)]
        self._browsers = [NodeBrowser(self._tally, node.url, JOBS) for node in nodes]
        self._kills = 0
        self._stop = asyncio.Event()

    async def run(self, start_up: StartUp) -> str:
        """Runs until the time is over or Ctrl-C; returns the summary."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)
        async with contextlib.AsyncExitStack() as parts:
            for node in self._nodes:
                parts.push_async_callback(node.stop)
            await asyncio.gather(*(node.start() for node in self._nodes))
            session = await parts.enter_async_context(aiohttp.ClientSession())
            for browser in self._browsers:
                parts.push_async_callback(browser.close)
                await browser.open(session)
            site = await NodeSite(self._nodes).open()
            parts.push_async_callback(site.stop)
            await asyncio.gather(*(node.run_job() for node in self._nodes))
            await self._wait_until_all_hear()
            start_up.end()
            print(f"Events go by {self._engine_url}")
            print(f"Open {site.url} in a browser; Ctrl-C ends the demo", flush=True)
            await self._show()
            await asyncio.gather(*(node.end_job() for node in self._nodes))
            await self._drain()
        return self._summary()

    async def _wait_until_all_hear(self) -> None:
        """Until each browser hears of each job, so that what is seen then is how it goes on."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + HEAR_TIMEOUT
        while not all(browser.hears_all for browser in self._browsers) and not self._stop.is_set():
            if loop.time() > deadline:
                raise StartError(f"no events came from other nodes within {HEAR_TIMEOUT:g} s")
            await asyncio.sleep(0.05)

    async def _show(self) -> None:
        """Until the time is over or Ctrl-C, with a node that goes and comes."""
        killing = asyncio.ensure_future(self._kill_now_and_then(self._nodes[-1]))
        end = asyncio.get_running_loop().time() + (self._plan.seconds or math.inf)
        while not self._stop.is_set() and (left := end - asyncio.get_running_loop().time()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), min(left, PROGRESS_INTERVAL))
            self._print_progress()
        killing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await killing

    async def _kill_now_and_then(self, node: DemoNode) -> None:
        await asyncio.sleep(FIRST_KILL)
        while True:
            await node.kill()
            self._kills += 1
            print(f"{node.name} is killed; it comes back in {DOWN:g} s", flush=True)
            await asyncio.sleep(DOWN)
            for browser in self._browsers:
                browser.forget(node.job)
            await node.start()
            await node.run_job()
            print(f"{node.name} is back", flush=True)
            await asyncio.sleep(BETWEEN)

    async def _drain(self) -> None:
        seen = -1
        while seen != self._tally.frames:
            seen = self._tally.frames
            await asyncio.sleep(DRAIN)

    def _print_progress(self) -> None:
        half, most = self._tally.percentile(0.5), self._tally.percentile(0.99)
        counts = f"{self._sent} events, {self._tally.frames} frames, {self._missed} missed"
        print(f"{counts}, p50 {half:.1f} ms, p99 {most:.1f} ms", flush=True)

    @property
    def _sent(self) -> int:
        return sum(node.sent for node in self._nodes)

    @property
    def _missed(self) -> int:
        return sum(browser.missed for browser in self._browsers)

    def _summary(self) -> str:
        half, most = (math.ceil(self._tally.percentile(share)) for share in (0.5, 0.99))
        counts = f"events {self._sent}, frames {self._tally.frames}, missed {self._missed}, killed {self._kills}"
        return f"demo: {counts}, p50 {half} ms, p99 {most} ms"
