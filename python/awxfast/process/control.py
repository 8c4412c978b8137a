"""What main asks of a process that it has started, and what that reports: the process's end of the pipe."""

import asyncio
import logging
import socket
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Generic, Protocol, TypeVar

from awxfast.errors import HandOverFailed, cut_reason, describe_unexpected
from awxfast.figures import Figures
from awxfast.operate.snapshot import Snapshots
from awxfast.process.common_words import CommonWords, find_fellows
from awxfast.process.header_claims import HeaderClaims
from awxfast.process.pipe import Pipe
from awxfast.quiet_log import QuietLog
from awxfast.system.memory import give_back_memory
from awxfast.system.passing import TooFewDescriptors, receive_message
from awxfast.system.queued_stream import leave

log = logging.getLogger(__name__)

STANDING_SECONDS = 1.0
"""How often main hears how many frames wait here for clients."""
STANDING_BETWEEN = 5
"""How often that is between two times when it hears all figures unasked: these are a thousand nodes' at most."""


class Serving(Protocol):
    """What runs in the process, as main's words reach it (`app.relay`, `broadcast.program`)."""

    @property
    def drains(self) -> bool:
        """Whether it still has something to do when another process has taken its place."""

    @property
    def leaves_counts(self) -> bool:
        """Whether the process that takes its place counts on from what was counted here."""

    @property
    def can_go_on(self) -> bool:
        """Whether it could do all again that it did before it left."""

    def ledger(self) -> Mapping[str, Any]:
        """What became of events and frames."""

    def reload_files(self) -> None:
        """Reads its files again."""

    async def let_go(self) -> None:
        """Another process has all. What is left to do here begins in this turn of the loop, if there is anything."""

    async def go_on(self) -> None:
        """Nobody has taken its place after all."""

    async def drain(self) -> None:
        """Does what is still to be done."""


Rooms = TypeVar("Rooms", bound=Serving)


class Control(Generic[Rooms]):
    """What main asks for, while the rooms run. Main's end takes this process with it, whatever it is doing."""

    def __init__(self, pipe: Pipe, start: dict[str, Any]) -> None:
        self._pipe = pipe
        self._passing = adopt_socket(start.get("passing"))
        self.predecessor = adopt_socket(start.get("inherits"))
        self.token: str | None = start.get("token")
        self.used_headers: list[str] = start.get("used_headers", [])
        self.remember_used: Callable[[str], None] = self.used_headers.append  # until there is somebody to tell
        self._claims = HeaderClaims(lambda header: pipe.send("claim_header", header=header))
        self._stop_asked = asyncio.Event()
        self._words = CommonWords(pipe.send, self._stop_asked)
        self.fellows = find_fellows(start, self._claims.claim, self._words.wait_to_listen)
        self.died: int | None = start.get("died")
        self._snapshots: Snapshots | None = None
        self._inherited = False
        self._owes_answer = False
        self._faults = QuietLog(log)
        self._relay: Rooms | None = None
        self._files_have_changed = False
        self._leaving: asyncio.Future[None] | None = None
        self._has_left = False
        self._receiver = asyncio.ensure_future(self._receive())

    def show(self, figures: Figures, *, inherited: bool = False) -> None:
        """Main hears of these whenever somebody looks; now for the first time.

        `inherited`: what the process before this one had counted is among them.
        """
        self._snapshots, self._inherited = Snapshots(figures), inherited
        self._tell_figures()

    def _tell_figures(self, *, is_answer: bool = False) -> None:
        """Whatever keeps them from being taken: the next ones are the answer then."""
        if self._snapshots is None:
            return
        self._owes_answer |= is_answer
        try:
            snapshot, has_left = self._snapshots.take(), self._snapshots.has_left
        except Exception as error:
            self._faults.warn("figures", f"What is counted here can't be told at present: {describe_unexpected(error)}")
            return
        facts = {"inherited": self._inherited, "has_left": has_left, "is_answer": self._owes_answer}
        self._owes_answer = False
        self._pipe.send("figures", **facts, **snapshot)

    def _tell_clients(self, snapshots: Snapshots) -> None:
        rows: list[Any] = []
        try:
            rows = snapshots.list_slow_clients()
        except Exception as error:
            self._faults.warn("clients", f"Slow clients can't be listed at present: {describe_unexpected(error)}")
        self._pipe.send("clients", rows=rows)

    def leave_counts(self, *, writes_on: bool = True) -> None:
        """Another process tells from now on what was counted here (`Snapshots.leave`)."""
        if self._snapshots is not None:
            self._snapshots.leave(writes_on=writes_on)

    def report_serving(self, relay: Rooms) -> None:
        """Everything runs; files are read again whenever main asks for it."""
        self._relay = relay
        if self._files_have_changed:
            self._read_files_again()
        self._pipe.send("serving")
        give_back_memory()  # to start, or to read what another process left, takes far more than what comes of it
        self._telling = asyncio.ensure_future(self._tell_what_stands(relay))

    async def _tell_what_stands(self, relay: Rooms) -> None:
        """Main counts it as lost should this process die, and what was counted up to then is known.

        A main that hears nothing for a time, since it is stopped say, hears the latest when it goes on.
        """
        while True:
            for _ in range(STANDING_BETWEEN):
                if not self._pipe.is_behind:
                    self._pipe.send("stands", frames=relay.ledger()["frames"]["pending"])
                await asyncio.sleep(STANDING_SECONDS)
            if not self._pipe.is_behind:
                self._tell_figures()

    def report_ready(self, understood: list[int]) -> None:
        """This process can take the place of another one that leaves this form."""
        self._pipe.send("ready", format=understood)

    def report_succeeded(self, kept: int, drained: int, silence: float) -> None:
        """It has: so many are its own now, so many the other's; nothing was done for so many seconds at most."""
        self._pipe.send("succeeded", kept=kept, drained=drained, silence=silence)

    def report_used_header(self, header: str) -> None:
        """Main remembers it, for the child after this one."""
        self._pipe.send("used_header", header=header)

    async def wait_for_fellows(self) -> None:
        """Returns when all other workers have imported their application, or the end is asked for.

        An import may wipe what others have registered in Redis: AWX's does.
        """
        if self.fellows is not None:
            await self._words.wait_to_register()

    async def wait_for_stop(self) -> None:
        """Returns when main asks for an orderly end."""
        await self._stop_asked.wait()

    async def report_failure(self, text: str, exit_code: int) -> int:
        """The process can't go on; returns its exit code."""
        self._pipe.send("failed", text=cut_reason(text), exit_code=exit_code)
        await self.report_end()
        return exit_code

    async def report_end(self) -> None:
        """All has ended here; what was counted to the last is told."""
        self._receiver.cancel()
        self._tell_figures()
        await self._pipe.close()

    async def _receive(self) -> None:
        while (message := await self._pipe.receive()) is not None:
            match message["kind"]:
                case "ping":
                    self._pipe.send("pong")
                case "stop":
                    self._stop_asked.set()
                case "reload_files":
                    self._read_files_again()
                case "hand_over":
                    work = self._hand_over(message["heir"], message["format"])
                    self._leaving = asyncio.ensure_future(run_behind(self._leaving, work))
                case "drain":  # before it has let go of the rest, maybe: the heir's word may be the first
                    self._leaving = asyncio.ensure_future(run_behind(self._leaving, self._drain()))
                case "go_on" if self._leaving is None or self._leaving.done():  # else it goes on by itself at its end
                    self._leaving = asyncio.ensure_future(self._go_on())
                case "used_header":
                    self.remember_used(message["header"])
                case "register" | "listen" as word:
                    self._words.hear(word)
                case "header_claimed":
                    self._claims.receive(message["header"], fresh=message["fresh"])
                case "look":
                    self._tell_figures(is_answer=True)
                case "look_at_clients" if self._snapshots is not None:
                    self._tell_clients(self._snapshots)
        leave(1)

    def _read_files_again(self) -> None:
        if self._relay is None:  # what it has read before it serves may be what was there before
            self._files_have_changed = True
            return
        try:
            self._relay.reload_files()
        except Exception as error:  # whatever a file holds, this task must live to notice the end of main
            log.error("Files were not read again: %s", error)  # noqa: TRY400

    async def _hand_over(self, heir: int, understood: list[int]) -> None:
        """Leaves all to another process; or says why not, and goes on."""
        try:
            with self._receive_way() as sock:
                self._tell_figures()  # who leaves may have no time for it later
                await self._leave_to(heir, understood, sock)
        except Exception as error:
            log.debug("what kept this process", exc_info=True)
            known = isinstance(error, HandOverFailed)
            text = str(error) if known else describe_unexpected(error)
            if self._snapshots is not None:
                self._snapshots.end_leaving()
            self._pipe.send("kept_on", text=cut_reason(text), heir=heir)
            await self._go_on()
        else:
            await self._let_go(heir)

    def _receive_way(self) -> socket.socket:
        """The socket with the other process at its end."""
        assert self._passing is not None
        try:
            _, [descriptor] = receive_message(self._passing)
        except TooFewDescriptors as error:
            raise HandOverFailed("it has no descriptor left for the way to the new process") from error
        return socket.socket(fileno=descriptor)

    async def _let_go(self, heir: int) -> None:
        """Ends, or waits for a word to drain. It can't undo anything any more, so a fault ends it."""
        assert self._relay is not None
        try:
            await self._relay.let_go()
        except Exception:
            log.exception(
                "reload: the new process has all; what was to be served to its end here can't be, so this ends"
            )
            leave(1)
        if not self._relay.drains:
            leave(0)  # at once: the sockets are another's, and another turn of the loop would read of them
        self._has_left = True
        self._pipe.send("left", can_go_on=self._relay.can_go_on, heir=heir)

    async def _go_on(self) -> None:
        self._has_left = False
        if self._relay is None:
            return
        try:
            await self._relay.go_on()  # also while it stops: what comes until its end is served
        except Exception:
            log.exception("reload: this process should go on and can't, so it ends")
            leave(1)

    async def _drain(self) -> None:
        if self._relay is not None and self._has_left:
            try:
                await self._relay.drain()
            except Exception:
                log.exception("reload: what is left here can't be served to its end")
            self._stop_asked.set()

    async def _leave_to(self, heir: int, understood: list[int], sock: socket.socket) -> None:
        """Leaves all to the process with that number. Raises `HandOverFailed`: all goes on here."""
        raise NotImplementedError


async def run_behind(former: asyncio.Future[None] | None, work: Coroutine[Any, Any, None]) -> None:
    """One after the other: main may have given up a hand-over that a process which was blocked is still to begin."""
    if former is not None:
        await asyncio.wait([former])
    await work


def adopt_socket(descriptor: int | None) -> socket.socket | None:
    """One that was inherited, which further processes do not."""
    if descriptor is None:
        return None
    sock = socket.socket(fileno=descriptor)
    sock.set_inheritable(False)
    return sock
