"""What arrived while the process was stopped is read before any time limit is judged."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from awxfast.late_timeouts import answered_within
from redis_servers import RedisServer

PROGRAM = Path(__file__).with_name("paused_program.py")
STOP = 0.6
"""Seconds, three times the program's limit."""


def run_paused(arguments: list[str], act: Callable[[subprocess.Popen[str]], object]) -> str:
    """What the program says at its end, when `act` happened while it was stopped."""
    command = [sys.executable, str(PROGRAM), *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        os.kill(program.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, program.pid, os.WSTOPPED)
        act(program)
        time.sleep(STOP)
        os.kill(program.pid, signal.SIGCONT)
        return program.stdout.read().strip()


def write_a_byte(program: subprocess.Popen[str]) -> None:
    assert program.stdin is not None
    program.stdin.write("x")
    program.stdin.flush()


@pytest.mark.parametrize("case", ["head", "limit"])
def test_what_came_during_a_stop_is_in_time(case: str) -> None:
    assert run_paused([case], write_a_byte) == "in time"


def test_reply_of_redis_that_came_during_a_stop_is_taken(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        reply = run_paused(["redis", redis_server.url], lambda _: client.zadd("queue", {"event": 1}))
    assert reply == "[b'queue', b'event', b'1']"


async def test_who_is_done_in_time_is_left_alone() -> None:
    async with answered_within(5):
        pass


async def test_silence_is_a_timeout() -> None:
    with pytest.raises(TimeoutError):
        async with answered_within(0.01):
            await asyncio.Event().wait()
