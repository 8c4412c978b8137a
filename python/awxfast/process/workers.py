"""The serving processes of a server, each with its place: started together, replaced one by one, ended together."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from awxfast.errors import HandOverFailed
from awxfast.process.child_handle import ChildHandle
from awxfast.process.common_start import CommonStep
from awxfast.process.places import Surroundings
from awxfast.process.roll_call import HANGS
from awxfast.process.succession import failing_as_hand_over
from awxfast.process.supervisor import Supervisor
from awxfast.process.used_headers import UsedHeaders
from awxfast.system.shares import Shares


class Workers:
    """As many places as `start` asks for; of one it is not said that there could be others.

    `start` is what a serving process gets first; `descriptors` are the numbers that it inherits; `on_serving` is called
    each time that all serve again. The rest: see `Supervisor`.
    """

    def __init__(
        self,
        start: Mapping[str, Any],
        descriptors: Sequence[int],
        on_serving: Callable[[], None],
        used_headers: UsedHeaders,
        surroundings: Surroundings,
        count: int = 1,
    ) -> None:
        self._used_headers = used_headers
        self._on_serving = on_serving
        self._shares = Shares.create(count) if count > 1 else None
        self._count = count
        self._start = start
        self._descriptors = descriptors
        self._surroundings = surroundings
        self._plan_start(is_done=False)
        self._make_supervisors()
        self.reloads = {"done": 0, "failed": 0}
        """How many came to new processes in the place of those before them, and how many did not."""

    def _plan_start(self, *, is_done: bool) -> None:
        """Who imports wipes what others have registered; who listened first would have all who wait by then."""
        self._imported = CommonStep(self._count, "register", is_done=is_done)
        self._prepared = CommonStep(self._count, "listen", is_done=is_done)

    def _make_supervisors(self) -> None:
        shares = self._shares.descriptor if self._shares is not None else None
        inherited = [] if shares is None else [shares]
        self.supervisors = [
            Supervisor(
                {**self._start, "worker": {"number": number, "count": self._count, "shares": shares}},
                [*self._descriptors, *inherited],
                self,
                number,
                self._surroundings,
            )
            for number in range(self._count)
        ]

    async def run(self) -> None:
        """Returns after `stop`, when all are gone. Raises what the first of them reports that can't start at all."""
        running = [asyncio.ensure_future(one.run()) for one in self.supervisors]
        try:
            await asyncio.wait(running, return_when=asyncio.FIRST_EXCEPTION)
            if not all(one.done() for one in running):
                for supervisor in self.supervisors:
                    supervisor.end()
                await asyncio.wait(running)
        except asyncio.CancelledError:
            for one in running:
                one.cancel()
            raise
        for one in running:
            one.result()

    def stop(self) -> None:
        """Asks all to flush and leave; a second call, or one that outlasts the limit, ends them at once."""
        for supervisor in self.supervisors:
            supervisor.stop()

    @property
    def stopping(self) -> asyncio.Event:
        """Set when the end was asked for."""
        return self.supervisors[0].stopping

    @property
    def serves(self) -> bool:
        """Whether there is a process in any place that serves."""
        return any(supervisor.serves for supervisor in self.supervisors)

    @property
    def generation(self) -> int:
        """How many processes have taken the place of the one before them, where that is the most."""
        return max(supervisor.generation for supervisor in self.supervisors)

    @property
    def draining(self) -> int:
        """How many serve their last clients."""
        return sum(supervisor.draining for supervisor in self.supervisors)

    def reload_files(self) -> None:
        """Asks all to read their files again and to reopen their logs."""
        for supervisor in self.supervisors:
            supervisor.tell("reload_files")

    def send_ping(self) -> None:
        """Asks all whether their loops run."""
        for supervisor in self.supervisors:
            supervisor.send_ping()

    def take_answer(self) -> bool:
        """Whether one has answered since the last call, and nobody hangs who serves.

        Where one has died and another one is to start there are those still whom the others serve.
        """
        answers = [supervisor.take_answer() for supervisor in self.supervisors]
        return True in answers and False not in answers

    # What serving processes tell

    def note_serving(self) -> None:
        """The last of all that were waited for may be this one."""
        if all(supervisor.serves for supervisor in self.supervisors):
            self._on_serving()

    def note_imported(self, number: int, child: ChildHandle) -> None:
        """One more has imported its application."""
        self._imported.wait(number, child)

    def note_prepared(self, number: int, child: ChildHandle) -> None:
        """One more could listen."""
        self._prepared.wait(number, child)

    def note_end(self, number: int, child: ChildHandle) -> None:
        """Its row, and its part in a common start, end with it."""
        self._imported.forget(number, child)
        self._prepared.forget(number, child)
        if self._shares is not None:
            self._shares.clear(number, child.pid)

    def note_used_header(self, child: ChildHandle, header: str) -> None:
        """It is used for all that run beside this one, too: for the one that will take its place before all."""
        self._used_headers.add(header)
        for supervisor in self.supervisors:
            supervisor.tell("used_header", but=child, header=header)

    def claim_header(self, child: ChildHandle, header: str) -> None:
        """It asks whether the header is used already."""
        fresh = self._used_headers.claim(header)
        if fresh:
            self.note_used_header(child, header)
        child.send("header_claimed", header=header, fresh=fresh)

    def list_used_headers(self) -> list[str]:
        """For a process that starts."""
        return self._used_headers.list_fresh()

    # New processes in the place of the old ones

    async def replace_child(self, read_settings: Callable[[], Awaitable[str]] | None = None) -> dict[str, Any]:
        """Replaces one after the other (`Supervisor.replace_child`); what all report, or nothing if one has not.

        Raises `HandOverFailed`: from the one on that it was impossible with all are those that they were.
        """
        try:
            settings = await self._read(read_settings)
            outcomes = [await self._replace_in(one, settings) for one in self.supervisors]
        except HandOverFailed:
            self.reloads["failed"] += 1
            raise
        self.reloads["done"] += 1
        if not all(outcomes):
            return {}
        return {
            "kept": sum(one["kept"] for one in outcomes),
            "drained": sum(one["drained"] for one in outcomes),
            "silence": max(one["silence"] for one in outcomes),
        }

    async def _read(self, read_settings: Callable[[], Awaitable[str]] | None) -> Mapping[str, str]:
        with failing_as_hand_over():
            return {"settings": await read_settings()} if read_settings is not None else {}

    async def _replace_in(self, supervisor: Supervisor, settings: Mapping[str, str]) -> dict[str, Any]:
        try:
            return await supervisor.replace_child(settings)
        except HandOverFailed as error:
            if self._count == 1:
                raise
            number = supervisor.number
            text = f"worker {number} of {self._count}: {error}; replaced before it: {number}"
            raise HandOverFailed(text) from error

    # What operators see

    async def ask(self, question: str, answer: str) -> tuple[list[dict[str, Any]], list[str]]:
        """Who answers in time; and a line for each place where he does not who serves whoever comes."""
        found, silent = await self._ask(question, answer, everybody=True)
        return found, [self._name(*one) for one in silent]

    async def list_hanging(self) -> list[str]:
        """A line for each place where the loop of the one who serves does not run, or has none while all are silent."""
        _, silent = await self._ask("ping", "pong", everybody=False)
        nobody = len(silent) == self._count
        return [self._name(number, why) for number, why in silent if nobody or why == HANGS]

    async def _ask(
        self, question: str, answer: str, *, everybody: bool
    ) -> tuple[list[dict[str, Any]], list[tuple[int, str]]]:
        asked = await asyncio.gather(*(one.ask(question, answer, everybody=everybody) for one in self.supervisors))
        found = [one for answers, _ in asked for one in answers]
        return found, [(number, silence) for number, (_, silence) in enumerate(asked) if silence is not None]

    def _name(self, number: int, silence: str) -> str:
        return silence if self._count == 1 else f"worker {number}: {silence}"

    @property
    def are_several(self) -> bool:
        """Whether there is more than one place."""
        return self._count > 1

    # From one program of main to the next

    async def freeze(self, kept: list[int]) -> dict[str, Any]:
        """What `adopt` needs, as JSON has it; `kept` gets the descriptors. No process is heard here any more.

        Raises `HandOverFailed`: nothing has changed.
        """
        for supervisor in self.supervisors:
            await supervisor.prepare_freeze()
        shares = self._shares.descriptor if self._shares is not None else None
        kept += [] if shares is None else [shares]
        return {
            "shares": shares,
            "reloads": self.reloads,
            "used_headers": self._used_headers.freeze(),
            "places": [await supervisor.freeze(kept) for supervisor in self.supervisors],
        }

    async def adopt(self, frozen: Mapping[str, Any]) -> None:
        """Goes on with what `freeze` gave in main's former program, before `run`."""
        if self._shares is not None:
            self._shares.close()
        self._count = len(frozen["places"])
        self._shares = Shares.open(frozen["shares"]) if frozen["shares"] is not None else None
        self._make_supervisors()
        self._plan_start(is_done=True)
        self.reloads = frozen["reloads"]
        self._used_headers.adopt(frozen["used_headers"])
        for supervisor, place in zip(self.supervisors, frozen["places"], strict=True):
            await supervisor.adopt(place)
