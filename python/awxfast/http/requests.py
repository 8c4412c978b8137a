"""Plain requests that an application works on: how long an answer may take, and what outlives its client."""

import asyncio
import contextvars
import functools
import logging
import time
from collections.abc import Callable, Iterator

from asgiref.typing import ASGI3Application, ASGIReceiveEvent, ASGISendEvent, Scope

from awxfast.http.access_log import AccessLog, format_client
from awxfast.http.blocked_threads import let_go_of_thread
from awxfast.http.cycle import Cycle
from awxfast.http.ending import Ending
from awxfast.http.request_memory import UnansweredBytes
from awxfast.turns import Turns

log = logging.getLogger(__name__)

FAILED = (500, b"The application failed.\n")
STOPPED = (503, b"The server is stopping.\n")
TOO_LATE = (503, b"The application did not answer in time.\n")

TURN_REQUESTS = 16
"""So many begin in a turn of the loop, those that came behind another among them; the rest in the next ones."""

CANCEL_SECONDS = 0.5
"""How long the answers to requests that are cut at the end may take."""


class Requests:
    """All requests that the application works on.

    `answer_timeout` is in seconds from the last byte of the request that the application took (None: none),
    `close_timeout` from the end of the response or of the client until the application is cancelled.
    """

    def __init__(
        self,
        access_log: AccessLog | None = None,
        *,
        answer_timeout: float | None = None,
        close_timeout: float = 10.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.access_log = access_log
        self.now = now
        self._answer_timeout = answer_timeout
        self._close_timeout = close_timeout
        self._turns = Turns(TURN_REQUESTS)
        self._waiting: dict[asyncio.Future[None], RunningRequest] = {}
        """Those that wait for a turn."""
        self._running: dict[asyncio.Task[None], RunningRequest] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def running(self) -> int:
        """How many the application works on, or soon will."""
        return len(self._running) + len(self._waiting)

    def begin(self, cycle: Cycle, application: ASGI3Application, context: contextvars.Context) -> None:
        """Runs the application for one request, in a context of its own, when its turn comes."""
        request = RunningRequest(self, cycle, application, context)
        turn = self._turns.call(1, lambda: self._run(request))
        if turn is not None:
            cycle.turn = turn
            self._waiting[turn] = request
            turn.add_done_callback(self._waiting.pop)

    def _run(self, request: "RunningRequest") -> None:
        if request.is_over:
            return  # its client has gone in the very turn that was its own
        loop = self._loop = self._loop or asyncio.get_running_loop()  # whose look-up is a system call
        task = loop.create_task(request.run(), context=request.context)
        self._running[task] = request
        request.note_task(task)
        task.add_done_callback(self._running.pop)

    def sweep(self) -> Iterator[bool]:
        """Looks at every request once."""
        now = self.now()
        for request in list(self._waiting.values()):
            yield request.look()
        for task, request in list(self._running.items()):
            if not task.done():
                yield request.look() or self._end_late(task, request, now)

    def _end_late(self, task: asyncio.Task[None], request: "RunningRequest", now: float) -> bool:
        """Whether the time was up for something."""
        if not request.is_over:
            is_late = request.late_answer is None and 0 < (self._answer_timeout or 0) < now - request.fed
            if is_late:
                request.late_answer = asyncio.get_running_loop().create_task(request.answer_late())
            return is_late
        if request.over_since is None:
            request.over_since = now
        is_late = now - request.over_since > self._close_timeout
        if is_late:
            let_go_of_thread(request.context)
            request.ending.cancel(task, request.label)
        return is_late

    async def stop(self, grace: float) -> None:
        """Waits for the answers that are under way, `grace` seconds at most; the rest is cancelled."""
        if self._waiting:
            await asyncio.wait(self._waiting, timeout=grace)
        if self._running:
            await asyncio.wait(self._running, timeout=grace)
        for task, request in self._running.items():
            request.cancel(task)
        if self._running:
            await asyncio.wait(self._running, timeout=CANCEL_SECONDS)


class RunningRequest:
    """One request: what stands between the application and the connection's cycle."""

    __slots__ = (
        "_application",
        "_began",
        "_cycle",
        "_is_cut",
        "_requests",
        "_status",
        "_told",
        "context",
        "ending",
        "fed",
        "late_answer",
        "over_since",
    )

    def __init__(
        self, requests: Requests, cycle: Cycle, application: ASGI3Application, context: contextvars.Context
    ) -> None:
        self._requests = requests
        self._cycle = cycle
        self.context = context
        self._application = application
        self._status = 0
        self._told = False
        self._is_cut = False
        self.fed = self._began = requests.now()
        self.over_since: float | None = None
        self.ending = Ending()
        self.late_answer: asyncio.Task[None] | None = None

    @property
    def is_over(self) -> bool:
        """Whether nobody waits for anything of the application any more."""
        return self._cycle.disconnected or self._cycle.response_complete

    def look(self) -> bool:
        """Looks whether the client is gone; whether something was done about it."""
        return not self.is_over and self._cycle.look()

    @property
    def label(self) -> str:
        """Method, path and client, for the log; no query, which may hold a token."""
        scope = self._cycle.scope
        return f"{scope['method']} {scope['path'][:200]!r} from {format_client(scope['client'])}"

    def note_task(self, task: asyncio.Task[None]) -> None:
        """It runs in `task`."""
        self._cycle.leave_behind = functools.partial(self._leave_behind, task)

    def _leave_behind(self, task: asyncio.Task[None], unanswered: UnansweredBytes, size: int) -> None:
        if not task.done():
            unanswered.leave_behind(task, functools.partial(self.cancel, task), size)

    def cancel(self, task: asyncio.Task[None]) -> None:
        """Cancels the request's own task: the server stops, or nobody waits for it and memory is short."""
        self._is_cut = True
        let_go_of_thread(self.context)
        task.cancel()

    async def run(self) -> None:
        """Whatever the application does, the client gets an answer or the connection ends."""
        scope: Scope = self._cycle.scope  # type: ignore[assignment]
        try:
            await self._application(scope, self.receive, self.send)
        except asyncio.CancelledError:
            pass  # ours: a task of a request has no other owner
        except BaseException as error:
            log.error("Exception inside application: %s", error, exc_info=error)  # noqa: TRY400  BaseException too
        if not self.is_over:
            await self._answer(*(STOPPED if self._is_cut else FAILED))

    async def answer_late(self) -> None:
        """The time for an answer is up."""
        log.warning("The application did not answer in time: %s", self.label)
        await self._answer(*TOO_LATE)

    async def _answer(self, status: int, body: bytes) -> None:
        """In place of the application's response; one that has begun can only be cut."""
        if self._cycle.response_started:
            self._cycle.cut()
            return
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        await self.send({"type": "http.response.start", "status": status, "headers": headers, "trailers": False})
        await self.send({"type": "http.response.body", "body": body, "more_body": False})

    # ASGI

    async def receive(self) -> ASGIReceiveEvent:
        """Tells of the end once; who asks on waits, and is cancelled in time."""
        if self._told:
            await asyncio.get_running_loop().create_future()
        message = await self._cycle.receive()
        self._told = message["type"] == "http.disconnect"
        self.fed = self._requests.now()
        return message

    async def send(self, message: ASGISendEvent) -> None:
        """Passes a part of the response on; what comes after its end is dropped, as in daphne."""
        if self.is_over:
            return
        if message["type"] == "http.response.start":
            self._status = message["status"]
        await self._cycle.send(message)
        if self._cycle.response_complete:
            self._write_access_log()

    def _write_access_log(self) -> None:
        access_log = self._requests.access_log
        if access_log is not None:
            scope = self._cycle.scope
            request = f"{scope['method']} {access_log.format_target(scope['raw_path'], scope['query_string'])}"
            seconds = self._requests.now() - self._began
            access_log.write(format_client(scope["client"]), request, self._status, self._cycle.sent, seconds)
