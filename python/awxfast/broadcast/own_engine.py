"""What the dialler does at the engine in the course of its life: the publisher, and links that are to fall silent."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from awxfast.broadcast.dialler import Dialler
from awxfast.broadcast.dialler_handover import LINK_SECONDS
from awxfast.broadcast.silencing import Silencing
from awxfast.engine.publisher import Publisher
from awxfast.errors import HandOverFailed
from awxfast.intake.event_intake import EventIntake

ENGINE_SECONDS = 2.0
"""How long peers wait for the engine at the start: a link to one that is there, too, can be silent."""
ANSWER_SECONDS = 1.5
"""How long others in it may take to answer, a second at most each: until then links would bring their events, too."""

Run = Callable[[Coroutine[Any, Any, None], str], None]


class NoEngine:
    """Links alone bring events to other nodes."""

    def start(self) -> None:
        """There is nothing to start."""

    async def wait_for_others(self) -> None:
        """Nobody else can be there."""

    def begin_silencing(self) -> None:
        """No link is to be silent."""

    async def end_silencing(self) -> None:
        """No link was silent."""

    async def hear_beside(self, first: Mapping[str, Any]) -> None:
        """There is nothing to hear."""

    def inherit(self, record: Mapping[str, Any]) -> None:
        """There is nothing to go on with."""

    def go_on(self) -> None:
        """There is nothing that has stopped."""

    async def abandon(self) -> None:
        """There is nothing to let go of."""

    def describe(self) -> dict[str, Any]:
        """Nothing is said of one to others."""
        return {}

    def freeze(self) -> dict[str, Any]:
        """Nothing of it is left to others."""
        return {}

    async def stop(self) -> None:
        """There is nothing to stop."""


class OwnEngine(NoEngine):
    """`run` keeps up what has no end, by its name."""

    def __init__(self, publisher: Publisher, intake: EventIntake, dialler: Dialler, run: Run) -> None:
        self._publisher = publisher
        self._silencing = Silencing(publisher, intake, dialler)
        self._run = run

    def start(self) -> None:
        """Publishes from now on."""
        self._publisher.begin()
        self._run(self._publisher.run(), "engine")

    async def wait_for_others(self) -> None:
        """Before the first dial: until they have heard this node and said that they are there, or for a moment."""
        if await self._publisher.wait_announced(ENGINE_SECONDS):
            await asyncio.sleep(ANSWER_SECONDS)

    def begin_silencing(self) -> None:
        """Links to nodes that come into the engine later fall silent, too."""
        self._run(self._silencing.run(), "silencing")

    async def end_silencing(self) -> None:
        """No link is touched any more, until `go_on`."""
        await self._silencing.end()

    # From one process to the next

    async def hear_beside(self, first: Mapping[str, Any]) -> None:
        """In place of `start`, beside the process whose first word this is.

        Raises `HandOverFailed` if that hears what is wanted and this one does not: events would be lost.
        """
        self._publisher.is_beside = True
        self._run(self._publisher.run(), "engine")
        if first.get("engine") and not await self._publisher.wait_up(LINK_SECONDS):
            raise HandOverFailed(f"the new process can't connect to the engine: {self._publisher.trouble}")

    def inherit(self, record: Mapping[str, Any]) -> None:
        """Publishes in the place of the process before this one, which `freeze` has told of, if it had an engine."""
        if record.get("engine") is not None:
            self._publisher.inherit(record["engine"])
        self._publisher.begin()

    def go_on(self) -> None:
        """Nobody has taken this process's place: undoes `end_silencing`."""
        self._silencing.go_on()

    async def abandon(self) -> None:
        """Another process is this publisher from now on."""
        self._publisher.is_beside = True
        await self._publisher.stop()

    def describe(self) -> dict[str, Any]:
        """Whether it is there: one who could not connect would lose events."""
        return {"engine": self._publisher.up}

    def freeze(self) -> dict[str, Any]:
        """What `inherit` needs, as JSON has it."""
        return {"engine": self._publisher.freeze()}

    async def stop(self) -> None:
        """Nothing is published any more."""
        await self._publisher.stop()


def own_engine(publisher: Publisher | None, intake: EventIntake, dialler: Dialler, run: Run) -> NoEngine:
    """Of a dialler with such a publisher, or with none."""
    return NoEngine() if publisher is None else OwnEngine(publisher, intake, dialler, run)
