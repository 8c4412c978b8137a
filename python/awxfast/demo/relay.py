"""The demo's relay: `python -m awxfast` in a process of its own, on free ports."""

import asyncio
import re
from collections.abc import Sequence
from typing import Self

from awxfast.demo.child_program import ChildProgram
from awxfast.errors import StartError

START_TIMEOUT = 300.0
SERVING = re.compile(r"(Listening|Admin listener) on TCP address (\S+)$")


class RelayProcess(ChildProgram):
    """A running relay. `address` and `admin` are HOST:PORT."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        super().__init__(process)
        self.address = ""
        self.admin = ""

    @classmethod
    async def start(
        cls, redis_url: str, more: Sequence[str] = (), port: int = 0, admin: int = 0, name: str = ""
    ) -> Self:
        """Starts one that lets everybody in; returns when it serves. Raises `StartError` with what it said if not.

        `more`: further options; `port`, `admin`: where it listens, 0: anywhere; `name`: before each line of its log.
        """
        words = ["--redis", redis_url, "--auth", "open", "-p", str(port), "--admin", f"127.0.0.1:{admin}", *more]
        relay = await cls.spawn("awxfast", words)
        try:
            async with asyncio.timeout(START_TIMEOUT):
                await relay._wait_until_serving()
        except TimeoutError:
            await relay.stop()
            raise StartError(f"the demo's relay did not serve within {START_TIMEOUT:.0f} s") from None
        except asyncio.CancelledError:
            await relay.kill()
            raise
        relay.echo_log(name)
        return relay

    async def _wait_until_serving(self) -> None:
        last = ""
        while not (self.address and self.admin):
            line = await self.read_line()
            if not line:
                await self.wait()
                raise StartError(f"the demo's relay did not start: {last.removeprefix('awxfast: ')}")
            last = line.strip()
            if found := SERVING.search(last):
                name = "address" if found[1] == "Listening" else "admin"
                setattr(self, name, found[2])
