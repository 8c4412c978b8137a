"""Descriptors and how many clients they are good for."""

import asyncio
import resource
import subprocess
import sys
import threading

import pytest
from awxfast.process.limits import RESERVE, bound_worker_threads, most_clients, show_limit

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


class TestGarbage:
    def test_what_is_there_is_frozen_and_cycles_are_still_collected(self) -> None:
        """In a process of its own: it is for good."""
        program = """
import gc, weakref
from awxfast.process.limits import YOUNG_OBJECTS, collect_garbage_seldom
class Node: pass
collect_garbage_seldom()
assert gc.get_freeze_count() > 1000
node = Node(); node.own = node; gone = weakref.ref(node); del node
kept = [[] for _ in range(YOUNG_OBJECTS + 1)]
print(gone() is None)
"""
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
        assert done.stdout.strip() == "True"


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


DESCRIBE = """
import resource
from awxfast.process.limits import describe_limits, raise_descriptor_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 300))
raise_descriptor_limit()
print(describe_limits(100, 86))
print(describe_limits(300, 86))
"""


class TestDescription:
    def test_soft_hard_and_what_they_allow(self) -> None:
        done = subprocess.run([sys.executable, "-c", DESCRIBE], capture_output=True, text=True, check=True, timeout=60)
        assert done.stdout.splitlines() == [
            "Descriptors: at most 300, raised from 100 (hard limit 300); clients: at most 86",
            "Descriptors: at most 300 (hard limit 300); clients: at most 86",
        ]

    def test_no_limit_has_a_word(self) -> None:
        assert show_limit(resource.RLIM_INFINITY) == "unlimited"
