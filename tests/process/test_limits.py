"""Descriptors and how many clients they are good for."""

import asyncio
import resource
import subprocess
import sys
import threading

import pytest
from awxfast.process.limits import RESERVE, bound_worker_threads, most_clients

RAISE = """
import resource
from awxfast.process.limits import raise_descriptor_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 300))
print(raise_descriptor_limit(), resource.getrlimit(resource.RLIMIT_NOFILE))
"""


class TestRaise:
    def test_soft_limit_becomes_the_hard_one(self) -> None:
        done = subprocess.run([sys.executable, "-c", RAISE], capture_output=True, text=True, check=True, timeout=60)
        assert done.stdout.strip() == "300 (300, 300)"

    def test_own_limit_is_untouched_by_that(self) -> None:
        assert resource.getrlimit(resource.RLIMIT_NOFILE) != (300, 300)


class TestWorkerThreads:
    @pytest.mark.parametrize(("environ", "together"), [({"ASGI_THREADS": "1"}, 1), ({}, 2)])
    async def test_asgi_threads_bounds_them(self, environ: dict[str, str], together: int) -> None:
        loop = asyncio.get_running_loop()
        bound_worker_threads(loop, environ)
        meeting = threading.Barrier(2)
        waits = [loop.run_in_executor(None, meeting.wait) for _ in range(2)]
        done, _ = await asyncio.wait(waits, timeout=None if together == 2 else 0.2)
        assert len(done) == (2 if together == 2 else 0)
        meeting.abort()
        await asyncio.gather(*waits, return_exceptions=True)


class TestClients:
    def test_a_client_holds_two_descriptors(self) -> None:
        assert most_clients(RESERVE + 2000) == 1000

    def test_one_behind_tls_holds_five(self) -> None:
        assert most_clients(RESERVE + 2000, speaks_tls=True) == 400

    def test_at_least_one_is_served(self) -> None:
        assert most_clients(64) == 1
