"""The demo's relay: `python -m awxfast` in a process of its own, on free ports."""

import asyncio
import contextlib
import os
import re
import sys
from typing import Self

from awxfast.errors import StartError
from awxfast.system.offspring import dying_with_us, own_command

START_TIMEOUT = 300.0
STOP_TIMEOUT = 20.0
SERVING = re.compile(r"(Listening|Admin listener) on TCP address (\S+)$")


class RelayProcess:
    """A running relay. `address` and `admin` are HOST:PORT."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._echo: asyncio.Task[None] | None = None
        self.address = ""
        self.admin = ""

    @classmethod
    async def start(cls, redis_url: str) -> Self:
        """Starts one that lets everybody in; returns when it serves. Raises `StartError` with what it said if not."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWXFAST_")}
        words = ("--redis", redis_url, "--auth", "open", "-p", "0", "--admin", "127.0.0.1:0")
        process = await asyncio.create_subprocess_exec(
            *dying_with_us([*own_command("awxfast"), *words]),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is the demo's: it stops the producers first, then the relay
        )
        relay = cls(process)
        try:
            async with asyncio.timeout(START_TIMEOUT):
                await relay._wait_until_serving()
        except TimeoutError:
            await relay.stop()
            raise StartError(f"the demo's relay did not serve within {START_TIMEOUT:.0f} s") from None
        relay._echo = asyncio.ensure_future(relay._echo_log())
        return relay

    async def _wait_until_serving(self) -> None:
        last = ""
        while not (self.address and self.admin):
            line = await self._read_line()
            if not line:
                await self._process.wait()
                raise StartError(f"the demo's relay did not start: {last.removeprefix('awxfast: ')}")
            last = line.strip()
            if found := SERVING.search(last):
                name = "address" if found[1] == "Listening" else "admin"
                setattr(self, name, found[2])

    async def _read_line(self) -> str:
        assert self._process.stderr is not None
        return (await self._process.stderr.readline()).decode("utf-8", "replace")

    async def _echo_log(self) -> None:
        while line := await self._read_line():
            sys.stderr.write(line)

    async def stop(self) -> None:
        """Asks it to stop, and waits until it is gone."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
            try:
                async with asyncio.timeout(STOP_TIMEOUT):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        if self._echo is not None:
            await self._echo
