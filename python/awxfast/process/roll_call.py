"""Asks the processes of one place for what operators look at; whoever hangs holds nobody up for long."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from awxfast.process.child_handle import ChildHandle
from awxfast.process.children import Children
from awxfast.process.tally import Tally

ANSWER_LIMIT = 2.0
"""Seconds that who looks waits for processes: what they have told before stands for those that take longer."""
HANGS = "the serving process does not answer"

Answers = dict[ChildHandle, dict[str, Any]]


class RollCall:
    """`find_present` gives the one that serves whoever comes; `wait_for_heir` waits until that may be another one."""

    def __init__(
        self,
        children: Children,
        tally: Tally,
        find_present: Callable[[], ChildHandle | None],
        wait_for_heir: Callable[[], Awaitable[None]],
    ) -> None:
        self._children = children
        self._tally = tally
        self._find_present = find_present
        self._wait_for_heir = wait_for_heir

    async def ask(self, question: str, answer: str, *, everybody: bool) -> tuple[list[dict[str, Any]], str | None]:
        """Who answers in time; and why he is not among them who serves whoever comes, None where he is.

        `everybody`: those that drain are asked, too. One that hangs is waited for once: all pages would be slow.
        """
        present = self._find_present()
        others = [child for child in self._children if child is not present and not child.is_late]
        asked = [present, *(others if everybody else [])]
        answers: Answers = {}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_LIMIT):
                await asyncio.gather(*(self._ask(child, question, answer, answers) for child in asked))
                if self._find_present() not in answers:  # another one is about to take the place of one that was asked
                    await self._wait_for_heir()
                    await self._ask(self._find_present(), question, answer, answers)
        return list(answers.values()), None if self._find_present() in answers else self._describe_silence()

    async def _ask(self, child: ChildHandle | None, question: str, kind: str, answers: Answers) -> None:
        """Adds its answer, if it can be asked and is not gone meanwhile."""
        if (
            child is not None
            and self._tally.has_told(child)
            and (answer := await child.ask(question, kind)) is not None
        ):
            answers[child] = answer

    def _describe_silence(self) -> str:
        child = self._find_present()
        if child is None:
            return "no process serves, another one is to start"
        if not self._tally.has_told(child):
            return "the serving process is starting"
        return HANGS
