"""What `--check` has found, and how it is told."""

import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import ParamSpec, TypeVar

from awxfast.engine.address import EngineAddress
from awxfast.errors import AwxfastError, ConfigurationError
from awxfast.redis.address import RedisAddress
from awxfast.redis.login import open_connection
from awxfast.system.queued_stream import drain_streams

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Findings:
    """What was found wrong, and what else is worth a line."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._problems: list[AwxfastError] = []
        self.taken: list[str] = []
        self.remarks: list[str] = []
        self.not_looked_at: list[str] = []

    def add(self, problem: AwxfastError) -> None:
        """Notes a problem that was found without a step."""
        self._problems.append(problem)

    def attempt(
        self, step: Callable[Parameters, Result], *arguments: Parameters.args, **more: Parameters.kwargs
    ) -> Result | None:
        """Does one step; None when that is a problem."""
        try:
            return step(*arguments, **more)
        except AwxfastError as error:
            self._problems.append(error)
            return None

    async def attempt_async(self, step: Awaitable[Result]) -> Result | None:
        """The same for what needs a loop."""
        try:
            return await step
        except AwxfastError as error:
            self._problems.append(error)
            return None

    def note_engine(self, said: str, url: str | None) -> None:
        """What the engine lets us do; of several servers in the URL, one that answers was enough."""
        self.remarks.append(f"--engine: {said}")
        if url is not None and len(EngineAddress.parse(url).servers) > 1:
            self.not_looked_at.append("whether each address of --engine answers")

    @property
    def exit_code(self) -> int:
        """2 as soon as something has to be changed; what is merely away may come back."""
        if any(isinstance(problem, ConfigurationError) for problem in self._problems):
            return 2
        return 1 if self._problems else 0

    def report(self, never_looked_at: str) -> None:
        """One line each; rooms may find what was found before them."""
        print(
            *self.taken, *self.remarks, f"not looked at: {'; '.join([*self.not_looked_at, never_looked_at])}", sep="\n"
        )
        if not self._problems:
            print("nothing else is wrong" if self.taken else "nothing is wrong")
        drain_streams()
        for line in dict.fromkeys(" ".join(str(problem).split()) for problem in self._problems):
            print(f"{self._program}:", line, file=sys.stderr)


async def ask_redis(findings: Findings, addresses: Sequence[RedisAddress]) -> None:
    """Whether each lets us in."""
    if not addresses:
        findings.remarks.append("Redis: not asked, there is no channel layer of channels_redis")
    for address in addresses:
        if connection := await findings.attempt_async(open_connection(address)):
            connection.close()
            findings.remarks.append(f"Redis: {address} answers")
