"""The made-up producers as a process of their own, and what they say of themselves."""

import asyncio
import contextlib
import json
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Self

from awxfast.errors import StartError


class JobProducer:
    """Sends events from the moment it exists until `stop`; `sent` counts them by group."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.sent: Counter[str] = Counter()
        self.reports = asyncio.ensure_future(self._receive_reports())
        """Done when it has ended."""

    @classmethod
    async def start(cls, redis_url: str, rate: float, jobs: Sequence[int]) -> Self:
        """`rate`: events a second of all jobs together."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "awxfast.demo.producers"),
            *(redis_url, f"{rate:g}", *map(str, jobs)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        return cls(process)

    async def _receive_reports(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            self.sent = Counter(json.loads(line))

    async def stop(self) -> None:
        """Lets it end, so that its counts are exact. Raises `StartError` when it has failed."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self.reports
        if await self._process.wait():
            raise StartError("the demo's producers ended by themselves; the line above says why")

    async def kill(self) -> None:
        """Ends it at once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self.reports
        await self._process.wait()
