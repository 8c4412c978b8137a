"""A program that the demo starts: what it logs is passed on, and it never outlives the demo."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Self

from awxfast.system.offspring import dying_with_us, own_command

STOP_TIMEOUT = 20.0


class ChildProgram:
    """A running program of ours, by the name of its module."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._echo: asyncio.Task[None] | None = None
        self._is_killed = False

    @classmethod
    async def spawn(cls, module: str, words: Sequence[str]) -> Self:
        """Begins to run it, with none of awxfast's variables; `echo_log` is to follow."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWXFAST_")}
        process = await asyncio.create_subprocess_exec(
            *dying_with_us([*own_command(module), *words]),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is the demo's: it stops the producers first, then the others
        )
        return cls(process)

    async def read_line(self) -> str:
        """Of its log; empty at its end."""
        assert self._process.stderr is not None
        return (await self._process.stderr.readline()).decode("utf-8", "replace")

    def echo_log(self, name: str = "") -> None:
        """Passes on what it says from now on, until it is killed; `name`: whose words these are, of several."""
        self._echo = asyncio.ensure_future(self._pass_on(f"{name}: " if name else ""))

    async def _pass_on(self, before: str) -> None:
        while line := await self.read_line():
            if not self._is_killed:
                sys.stderr.write(before + line)

    async def wait(self) -> int:
        """Its exit code, once it has ended."""
        return await self._process.wait()

    async def stop(self) -> None:
        """Asks it to stop, and waits until it is gone."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
            try:
                async with asyncio.timeout(STOP_TIMEOUT):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
        await self._end()

    async def kill(self) -> None:
        """Ends it at once, without a word."""
        self._is_killed = True
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._end()

    async def _end(self) -> None:
        await self._process.wait()
        if self._echo is not None:
            await self._echo
