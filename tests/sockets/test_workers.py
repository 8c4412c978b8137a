"""Serving processes of one server: who gets which of the connections, and limits that are for all of them."""

import asyncio
import os
import re
import resource
import signal
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import SelfSigned
from raw_browser import RawBrowser, frame, handshake
from servers import HANG
from serving import until
from worker_processes import WorkerProcesses

Address = Any


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., WorkerProcesses]]:
    """Starts some on a TCP socket and a unix socket."""
    started: list[WorkerProcesses] = []

    def begin(count: int = 2, **options: Any) -> WorkerProcesses:
        path = tmp_path / f"socket-{len(started)}"
        unix = socket.socket(socket.AF_UNIX)
        unix.bind(str(path))
        unix.listen(2048)
        listeners = [socket.create_server(("127.0.0.1", 0), backlog=2048), unix]
        started.append(WorkerProcesses(tmp_path, listeners, count, **options))
        return started[-1]

    yield begin
    for one in started:
        one.stop()


class Browsers:
    """Those that are open."""

    def __init__(self) -> None:
        self._open: list[RawBrowser] = []

    async def open(self, address: Address, tls: ssl.SSLContext | None = None) -> int | None:
        """Which process serves one more; None: it was turned away."""
        if tls is not None:
            streams = await asyncio.open_connection(*address, ssl=tls, server_hostname="localhost")
            browser = RawBrowser(*streams)
        else:
            browser = await RawBrowser.connect(address)
        self._open.append(browser)
        browser.send(handshake())
        async with asyncio.timeout(HANG):
            head = await browser.read_head()
            if not head.startswith("HTTP/1.1 101 "):
                assert head.startswith("HTTP/1.1 503 "), head
                return None
            return int(await browser.read_text())

    async def open_many(self, address: Address, count: int, tls: ssl.SSLContext | None = None) -> Counter[int | None]:
        return Counter(await asyncio.gather(*(self.open(address, tls) for _ in range(count))))

    async def open_one_by_one(self, address: Address, count: int) -> Counter[int | None]:
        return Counter([await self.open(address) for _ in range(count)])

    def send(self, data: bytes) -> None:
        """To the last one's process."""
        self._open[-1].send(data)

    async def close(self) -> None:
        closed, self._open = self._open, []
        for browser in closed:
            browser.writer.transport.abort()
        await asyncio.gather(*(browser.close() for browser in closed))


@pytest.fixture
async def browsers() -> AsyncIterator[Browsers]:
    several = Browsers()
    former = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (former[1], former[1]))
    yield several
    await several.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, former)


def assert_even(counts: Counter[int | None], workers: WorkerProcesses) -> None:
    """Within a fifth."""
    numbers = [worker.process.pid for worker in workers.workers]
    assert set(counts) == set(numbers)
    share = counts.total() / len(numbers)
    assert all(abs(counts[number] - share) <= share / 5 for number in numbers), counts


class TestSpread:
    @pytest.mark.parametrize("count", [2, 4])
    async def test_all_that_come_at_once(
        self, start: Callable[..., WorkerProcesses], browsers: Browsers, count: int
    ) -> None:
        workers = start(count)
        assert_even(await browsers.open_many(workers.listeners[0].getsockname(), 1000), workers)

    @pytest.mark.parametrize("count", [2, 4])
    async def test_those_that_come_one_by_one(
        self, start: Callable[..., WorkerProcesses], browsers: Browsers, count: int
    ) -> None:
        workers = start(count)
        assert_even(await browsers.open_one_by_one(workers.listeners[0].getsockname(), 400), workers)

    async def test_on_a_unix_socket(self, start: Callable[..., WorkerProcesses], browsers: Browsers) -> None:
        workers = start()
        assert_even(await browsers.open_many(workers.listeners[1].getsockname(), 200), workers)

    async def test_behind_tls(self, start: Callable[..., WorkerProcesses], browsers: Browsers, tmp_path: Path) -> None:
        certificate = SelfSigned(tmp_path)
        workers = start(tls_files=certificate.files)
        counts = await browsers.open_many(workers.listeners[0].getsockname(), 100, certificate.trust())
        assert_even(counts, workers)

    async def test_new_process_gets_those_that_come_until_it_has_as_many(
        self, start: Callable[..., WorkerProcesses], browsers: Browsers
    ) -> None:
        workers = start()
        address = workers.listeners[0].getsockname()
        dead = workers.workers[0]
        dead.die()
        await browsers.open_many(address, 100)
        new = workers.replace(dead)
        counts = await browsers.open_one_by_one(address, 100)
        assert counts[new.process.pid] >= 70


class TestOthersThatCanNot:
    @pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
    async def test_nobody_waits_for_one_that_is_stopped_or_gone(
        self, start: Callable[..., WorkerProcesses], browsers: Browsers, number: signal.Signals
    ) -> None:
        workers = start()
        address = workers.listeners[0].getsockname()
        await browsers.open_many(address, 20)
        ill, other = workers.workers
        ill.signal(number)
        assert await browsers.open_many(address, 50) == {other.process.pid: 50}
        if number == signal.SIGSTOP:
            stopped_at = workers.shares.rows[0].looked_at
            ill.signal(signal.SIGCONT)
            await until(lambda: workers.shares.rows[0].looked_at > stopped_at)
            assert (await browsers.open_one_by_one(address, 40))[ill.process.pid] >= 25

    async def test_nobody_waits_for_one_that_is_held_up(
        self, start: Callable[..., WorkerProcesses], browsers: Browsers, tmp_path: Path
    ) -> None:
        workers = start()
        address = workers.listeners[0].getsockname()
        first = await browsers.open(address)
        held_up, other = sorted(workers.workers, key=lambda worker: worker.process.pid != first)
        browsers.send(frame("block 3600"))
        await until(lambda: "held up" in (tmp_path / "out").read_text())
        assert await browsers.open_many(address, 50) == {other.process.pid: 50}
        held_up.die()


class TestLimits:
    async def test_max_clients_is_for_all(self, start: Callable[..., WorkerProcesses], browsers: Browsers) -> None:
        workers = start(max_clients=30)
        address = workers.listeners[0].getsockname()
        counts = await browsers.open_many(address, 100)
        assert counts.total() - counts[None] <= 30
        while await browsers.open(address) is not None:
            pass
        assert sum(row.websockets for row in workers.shares.rows) == 30
        await browsers.close()
        await until(lambda: not any(row.websockets for row in workers.shares.rows))
        assert await browsers.open(address) is not None

    async def test_accept_rate_is_for_all(self, start: Callable[..., WorkerProcesses], browsers: Browsers) -> None:
        workers = start(accept_rate=10)
        address = workers.listeners[0].getsockname()
        begin = asyncio.get_running_loop().time()
        let_in = 0
        while (lasted := asyncio.get_running_loop().time() - begin) < 3:
            let_in += await browsers.open(address) is not None
        assert 10 <= let_in <= 10 + 10 * (lasted + 0.1)
        admitted = [row.admitted for row in workers.shares.rows]
        assert all(admitted)
        assert sum(admitted) == let_in

    async def test_clients_of_one_that_is_gone_are_not_counted(
        self, start: Callable[..., WorkerProcesses], browsers: Browsers
    ) -> None:
        workers = start(max_clients=10)
        address = workers.listeners[0].getsockname()
        await browsers.open_one_by_one(address, 10)
        assert await browsers.open(address) is None
        workers.workers[0].die()
        left = workers.shares.rows[1].websockets
        assert (await browsers.open_one_by_one(address, 12))[None] == 2 + left


class TestAccessLog:
    async def test_lines_of_all_in_one_file_are_whole(
        self, start: Callable[..., WorkerProcesses], tmp_path: Path
    ) -> None:
        path = tmp_path / "access"
        await ask_much(start(access_log=str(path)))
        assert_whole(path.read_text())

    async def test_so_are_those_in_one_pipe(self, start: Callable[..., WorkerProcesses]) -> None:
        reader, writer = os.pipe()
        workers = start(access_log="-", stdout=writer)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            reading = asyncio.get_running_loop().run_in_executor(None, pipe.read)
            await ask_much(workers)
            assert_whole((await reading).decode())


CLIENTS, REQUESTS = 20, 50


async def ask_much(workers: WorkerProcesses) -> None:
    """Requests of many to all of them, for ever longer paths; then the workers end."""
    address = workers.listeners[0].getsockname()

    async def ask(name: str) -> None:
        reader, writer = await asyncio.open_connection(*address)
        for number in range(REQUESTS):
            target = f"/{name}-{number}/" + "x" * (40 * number)
            writer.write(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(ask(f"client{number}") for number in range(CLIENTS)))
    for worker in workers.workers:
        await asyncio.to_thread(worker.stop)


def assert_whole(log: str) -> None:
    form = re.compile(r'127\.0\.0\.1:\d+ - - \[[^]]+\] "GET /client\d+-(\d+)/(x*)(\.\.\.)?" 200 \d+')
    found = [form.fullmatch(line) for line in log.splitlines()]
    assert len(found) == CLIENTS * REQUESTS
    assert all(one is not None and (one[3] or len(one[2]) == 40 * int(one[1])) for one in found)
