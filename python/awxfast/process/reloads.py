"""Reloads as main does them: one at a time, as they are asked for; whoever waits for one hears what became of it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from awxfast.errors import HandOverFailed
from awxfast.process.watchers import Watchers
from awxfast.process.workers import Workers

log = logging.getLogger(__name__)


class Reloads:
    """`ask` for one, now or behind the one that is under way; several that wait for that are one.

    `read_settings`: see `Workers.replace_child`. When one has succeeded `renewal_due` is set: it is over with main's
    next program, which goes on with what `freeze` gives, or with `stay`.
    """

    def __init__(self, workers: Workers, read_settings: Callable[[], Awaitable[str]], watchers: Watchers) -> None:
        self._workers = workers
        self._read_settings = read_settings
        self._watchers = watchers
        self._asked = asyncio.Event()
        self._is_over = asyncio.Event()
        self.renewal_due = asyncio.Event()
        self._text = ""

    def ask(self) -> None:
        """A reload is wanted."""
        self._asked.set()

    async def run(self) -> None:
        """Until it is cancelled."""
        self._watchers.begin()
        while True:
            await self._asked.wait()
            self._asked.clear()
            self._watchers.begin_reload()
            if await self._replace_child():
                self._is_over.clear()
                self.renewal_due.set()
                await self._is_over.wait()

    async def _replace_child(self) -> bool:
        log.info("Reloading: a new process starts from what is installed now")
        try:
            outcome = await self._workers.replace_child(self._read_settings)
        except HandOverFailed as error:
            self._give_up(error)
            return False
        self._text = describe_reload(self._workers.generation, outcome)
        return True

    def _give_up(self, error: HandOverFailed) -> None:
        if self._workers.stopping.is_set():
            self._end("given up, the server stops", logging.INFO)
        elif self._workers.serves:
            self._end(f"the old process goes on: {error}", logging.ERROR)
        else:
            self._end(f"another process starts: {error}", logging.ERROR)

    def _end(self, text: str, level: int) -> None:
        """One that has come to nothing, or not to all. It is one line, whatever others have put into it."""
        text = " ".join(text.split())
        log.log(level, "reload: %s", text)
        self._watchers.tell(done=False, text=text)

    def stay(self, reason: object) -> None:
        """Main can't become a new program: it goes on as it is, with the new serving process."""
        self.renewal_due.clear()
        if self._workers.stopping.is_set():
            self._end("given up, the server stops", logging.INFO)
        else:
            done = self._text.removeprefix("reload: ")
            self._end(f"{done}; but the main process stays the old version: {reason}", logging.ERROR)
        self._is_over.set()

    def close(self) -> None:
        """Nobody is told anything any more."""
        self._watchers.close()

    # From one program of main to the next

    def freeze(self, kept: list[int]) -> dict[str, Any]:
        """What `adopt` needs, as JSON has it; `kept` gets the descriptors."""
        return {"text": self._text, "asked": self._asked.is_set(), "watchers": self._watchers.freeze(kept)}

    def adopt(self, frozen: Mapping[str, Any], trouble: str) -> None:
        """Says what became of the reload that main's former program did; `trouble`: why that is this one itself."""
        self._text = frozen["text"]
        if frozen["asked"]:
            self.ask()
        if trouble:
            self.stay(trouble)
        else:
            log.info("%s", self._text)
            self._watchers.tell(done=True, text=self._text)


def describe_reload(generation: int, outcome: dict[str, Any]) -> str:
    """The line for the operator. Without an outcome: the old process ended in order, so that the new one has all."""
    if not outcome:
        return f"reload: generation {generation}, which has all and has not said yet that it serves"
    return (
        f"reload: generation {generation}, {outcome['kept']} sockets kept, {outcome['drained']} drained, "
        f"silence at most {outcome['silence'] * 1000:.0f} ms"
    )
