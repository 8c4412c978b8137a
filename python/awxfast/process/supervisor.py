"""The serving process's life, seen from main: start, restart after a death, a new one in its place, stop."""

import asyncio
import contextlib
import functools
import logging
import secrets
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from awxfast.errors import ApplicationNeedsRedis, AwxfastError, HandOverFailed, StartError
from awxfast.process.child_handle import ChildHandle
from awxfast.process.children import Children
from awxfast.process.draining import Draining
from awxfast.process.places import Places, Surroundings
from awxfast.process.restart_pauses import Restarts
from awxfast.process.roll_call import RollCall
from awxfast.process.succession import end_unwanted, failing_as_hand_over, let_go_on, let_succeed
from awxfast.process.tally import Tally
from awxfast.system.offspring import own_command

log = logging.getLogger(__name__)

CHILD_COMMAND = tuple(own_command("awxfast.process"))
START_STOP_LIMIT = 0.8
"""Seconds that a child gets to leave which serves nobody yet: its import may hang, and nothing is lost with it."""
MOST_DRAINING = 3
"""Processes that may serve their last clients beside the present one: each has an application's memory."""


class Supervisor:
    """Keeps one serving process alive until it is told to stop.

    `start` is what a child gets first; `descriptors` are the numbers that it inherits; `places` hears what becomes of
    it; `number` is its own among them.
    """

    def __init__(
        self,
        start: Mapping[str, Any],
        descriptors: Sequence[int],
        places: Places,
        number: int,
        surroundings: Surroundings,
    ) -> None:
        self._start = start
        self._command = surroundings.command
        self._descriptors = tuple(descriptors)
        self._places = places
        self.number = number
        self._stop_limit = surroundings.stop_limit
        self._stopping = asyncio.Event()
        self._child: ChildHandle | None = None
        self._heir: ChildHandle | None = None
        self._pinged: ChildHandle | None = None
        self._draining = Draining(surroundings.drain_limit)
        self._handing_over = asyncio.Lock()
        self._token = secrets.token_hex(16)
        self._died: int | None = None
        """Events that were lost at most with the last one that died and has not been told of; None: there is none."""
        self.generation = 0
        """How many processes have taken the place of the one before them."""
        self.tally = Tally()
        """What all of them have counted."""
        self._children = Children(places, number, self.tally)
        roll_call = RollCall(self._children, self.tally, self._find_present, self._wait_for_heir)
        self.ask = roll_call.ask
        self.tell = self._children.tell
        self._restarts = Restarts()
        self._served_once = False
        self._is_ended = False

    async def run(self) -> None:
        """Returns after `stop`, when all are gone. Raises what the first child reports if it can't start at all."""
        await self._keep_one()
        await self._children.wait_for_ends()

    async def _keep_one(self) -> None:
        while not self._stopping.is_set():
            failure = await self._run_child()
            if self._stopping.is_set():
                break
            waits_for_redis = isinstance(failure, ApplicationNeedsRedis)
            if isinstance(failure, AwxfastError) and not self._served_once and not waits_for_redis:
                raise failure
            pause = self._restarts.take_after(failure, self._name_child())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)

    def stop(self) -> None:
        """Asks the child to flush and leave; a second call, or one that outlasts the limit, ends it at once."""
        if self._stopping.is_set():
            self._children.kill()
            return
        self._stopping.set()
        self._children.tell("stop")
        if self._heir is not None and self._heir.is_ready is None:
            asyncio.get_running_loop().call_later(START_STOP_LIMIT, self._heir.kill)
        self._limit_stop(self._stop_limit if self.serves else START_STOP_LIMIT)

    def _limit_stop(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self._end_late_child, seconds, self.serves)

    @property
    def serves(self) -> bool:
        """Whether there is a process that serves."""
        return any(child.serves for child in self._children)

    # What operators see

    async def _wait_for_heir(self) -> None:
        if (heir := self._heir) is not None:
            await heir.wait_for(lambda: heir.succeeded is not None)

    def list_present(self) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
        """What is so in the process that serves whoever comes, as far as it has told; and in all others."""
        return self.tally.list_present(self._find_present())

    @property
    def pid(self) -> int | None:
        """Of the process that serves whoever comes."""
        child = self._find_present()
        return child.pid if child is not None else None

    @property
    def draining(self) -> int:
        """How many serve their last clients."""
        return len(self._draining)

    def _find_present(self) -> ChildHandle | None:
        for child in (self._heir, self._child):
            if child is not None and child in self._children and (child is self._child or self.tally.has_told(child)):
                return child
        return None

    def end(self) -> None:
        """Another place has none who can start. Who may have clients or names in Redis leaves in order, others now."""
        self._is_ended = True
        if not self._stopping.is_set() and any(self.tally.has_told(child) for child in self._children):
            self.stop()
            return
        self._stopping.set()
        self._children.kill()

    def send_ping(self) -> None:
        """Asks the child whether its loop runs."""
        self._pinged = self._child
        if self._child is not None:
            self._child.send("ping")

    def take_answer(self) -> bool | None:
        """Whether the child answered since the last call; None: it has not, and does not serve yet or was not asked."""
        child = self._child
        if child is not None and child.answered:
            child.answered = False
            return True
        return False if child is not None and child is self._pinged and child.serves else None

    def _end_late_child(self, seconds: float, served: bool) -> None:
        if not self._children:  # all have left here, and another place's are waited for
            return
        if self.serves and not served:  # it began to serve when it was asked to stop
            self._limit_stop(self._stop_limit)
            return
        log.warning("%s did not leave within %.1f s and is ended", self._name_child(), seconds)
        self._children.kill()

    def _name_child(self) -> str:
        """For the log: which of several it is."""
        count = self._start["worker"]["count"]
        if count == 1 or self._child is None:
            return "The serving process"
        return f"Worker {self.number} of {count} (process {self._child.pid})"

    async def _run_child(self) -> AwxfastError | str:
        """Until one is gone that nobody has taken the place of; why it is."""
        child = self._child
        if child is None or child not in self._children:  # else main's former program has started one
            self._restarts.begin()
            try:
                child = await self._start_first()
            except OSError as error:
                return StartError(f"no serving process can be started: {error.strerror}")
        while True:
            await self._children.wait_for_end(child, or_until=functools.partial(self._is_replaced, child))
            async with self._handing_over:  # else one that has just handed over would be taken for dead
                heir = self._child
            if heir is None or heir is child:
                self._note_death(child)
                return child.failure or f"exit code {child.exit_code}"
            child = heir

    def _is_replaced(self, child: ChildHandle) -> bool:
        return self._child is not child

    def _note_death(self, child: ChildHandle) -> None:
        """What one that never served would have told the one after it is left for that."""
        if child.stands is not None:
            self._died = child.count_lost()

    async def _start_first(self) -> ChildHandle:
        """One that takes nobody's place; where one has died, it goes on under the same names in Redis."""
        child = self._child = await self._start_child(died=self._died)
        self.tally.begin(child)
        self._children.hear(child, self._note_serving)
        if self._stopping.is_set():
            child.send("stop")
        if self._is_ended:
            child.kill()
        return child

    async def _start_child(self, inherits: socket.socket | None = None, **more: Any) -> ChildHandle:
        first = {
            **self._start,
            **more,
            "token": self._token,
            "used_headers": self._places.list_used_headers(),
            "generation": self.generation + (inherits is not None),
        }
        descriptors = self._descriptors
        if inherits is not None:
            first["inherits"] = inherits.fileno()
            descriptors = (*descriptors, inherits.fileno())
        return await ChildHandle.start(self._command or CHILD_COMMAND, first, descriptors)

    def _note_serving(self) -> None:
        self._served_once = True
        self._died = None
        if not self._stopping.is_set():
            self._places.note_serving()

    # A new process in the place of the old one

    async def replace_child(self, settings: Mapping[str, str]) -> dict[str, Any]:
        """Starts a process from what is installed now, to which the present one leaves all; what it reports then.

        `settings`: as what is installed now understands them, if they are not as they are. Raises `HandOverFailed`: the
        present one goes on, unless it is gone (`serves`). One at a time.
        """
        with failing_as_hand_over():
            async with self._handing_over:
                return await self._replace_child(settings)

    async def _replace_child(self, settings: Mapping[str, str]) -> dict[str, Any]:
        old = self._child
        if old is None or not old.serves or self._stopping.is_set():
            raise HandOverFailed("nobody serves at present")
        if len(self._draining) >= MOST_DRAINING:
            raise HandOverFailed(f"{MOST_DRAINING} earlier processes still drain; wait for them, or restart")
        ours, theirs = socket.socketpair()
        with ours, theirs:
            heir = self._heir = await self._start_child(theirs, **settings)
            theirs.close()
            self.tally.begin(heir, old)
            self._children.hear(heir, lambda: None)
            try:
                if self._stopping.is_set():
                    raise HandOverFailed("it stops")
                outcome = await let_succeed(old, heir, ours)
                self._replace(old, heir)
                return outcome
            finally:
                self._heir = None
                if self._child is not heir:
                    await end_unwanted(heir)
                    await let_go_on(old)

    def _replace(self, old: ChildHandle, heir: ChildHandle) -> None:
        self._child = heir
        self.generation += 1
        if (running := self._children.find_end(old)) is not None:
            old.send("drain")
            self._draining.add(old, running)
        old.look_again()

    # From one program of main to the next

    @property
    def stopping(self) -> asyncio.Event:
        """Set when the end was asked for."""
        return self._stopping

    async def prepare_freeze(self) -> None:
        """Whether all is well with the children, and each has heard all. Raises `HandOverFailed`."""
        if self._child not in self._children or self._stopping.is_set():
            raise HandOverFailed("nobody serves at present")
        await self._children.flush()

    async def freeze(self, kept: list[int]) -> dict[str, Any]:
        """What `adopt` needs, as JSON has it; `kept` gets the descriptors. No child is heard here any more."""
        draining = self._draining.freeze()
        children = await self._children.stop_hearing()
        children.sort(key=lambda child: child is not self._child)
        serves = self._child in children
        if self._child is not None and not serves:
            self._note_death(self._child)
        return {
            "children": [{**await child.freeze(kept), "drains": draining.get(child)} for child in children],
            "token": self._token,
            "generation": self.generation,
            "serves": serves,
            "died": self._died,
            "tally": self.tally.freeze(children),
            **self._restarts.freeze(),
        }

    async def adopt(self, frozen: Mapping[str, Any]) -> None:
        """Goes on with what `freeze` gave in main's former program, before `run`."""
        children = [await ChildHandle.adopt(one) for one in frozen["children"]]
        self.tally.adopt(frozen["tally"], children)
        for child, seconds in zip(children, [one["drains"] for one in frozen["children"]], strict=True):
            running = self._children.hear(child, lambda: None)
            if seconds is not None:
                self._draining.add(child, running, seconds)
        self._child = children[0] if frozen["serves"] else None
        self._served_once = True
        self._died = frozen.get("died")
        self._token = frozen["token"]
        self.generation = frozen["generation"]
        self._restarts.adopt(frozen)
