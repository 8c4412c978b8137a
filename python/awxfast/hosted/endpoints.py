"""Runs the application: one task a websocket, from the request to long after the socket's end if need be."""

import asyncio
import dataclasses
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from asgiref.typing import ASGI3Application

from awxfast.hosted.current_session import current_session
from awxfast.hosted.inbox import Unreceived
from awxfast.hosted.lifespan import Lifespan
from awxfast.hosted.old_connections import close_old_connections_seldom
from awxfast.hosted.plain_requests import host_plain
from awxfast.hosted.replay import Kept, ReopenedSocket, Replay, Replays
from awxfast.hosted.routes import is_missing_route
from awxfast.hosted.scope import describe_websocket
from awxfast.hosted.sensitive_thread import replace_sensitive_thread
from awxfast.hosted.session import APPLICATION_FAILED, NO_ROUTE, UNDECIDED, HostedSession
from awxfast.hosted.websocket import Opening
from awxfast.http.ending import Ending
from awxfast.settings import Settings
from awxfast.wire.handshake import RETRY, Refusal
from awxfast.wire.request import Request

log = logging.getLogger(__name__)

AGAIN = Refusal(503, "limit", "The server is being restarted.", RETRY)
REPLAY_SECONDS = 5.0
"""What a consumer has that is begun anew: then it is closed, or goes on if it has accepted at least."""


@dataclasses.dataclass(slots=True)
class ApplicationRun:
    """The application at work for one websocket."""

    session: HostedSession
    began: float
    ending: Ending = dataclasses.field(default_factory=Ending)


class HostedEndpoints:
    """The endpoints of a server that hosts an application."""

    def __init__(
        self, application: ASGI3Application, settings: Settings, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._application = application
        self._lifespan = Lifespan(application)
        self._connect_timeout = settings.websocket_connect_timeout
        self._close_timeout = settings.application_close_timeout
        self._now = now
        self._restore: list[Callable[[], None]] = []
        """How to undo what was replaced in libraries."""
        self._replays_consumers = settings.replays_consumers
        self.replays = Replays()
        self.refusals: dict[str, int] = {}
        """None: what an application says no to is its own affair."""
        self._runs: dict[asyncio.Task[None], ApplicationRun] = {}
        self._unreceived = Unreceived()

    async def start(self) -> None:
        """The application's own set-up. Raises `StartError` when it says that it can't start."""
        self._restore += [replace_sensitive_thread(asyncio.get_running_loop()), close_old_connections_seldom()]
        await self._lifespan.start()

    @property
    def plain(self) -> ASGI3Application:
        """The application answers plain requests too."""
        return host_plain(self._application, self._lifespan.state)

    def check(self, request: Request) -> Refusal | None:
        """The paths are the application's own affair."""
        return None

    def decide(self, opening: Opening) -> None:
        """The application decides, within its time."""
        kept = Kept(opening.request, opening.handshake.subprotocols) if self._replays_consumers else None
        self._begin(HostedSession(opening, self._unreceived, self._now, kept), opening)

    def _begin(self, session: HostedSession, opening: Opening) -> None:
        task = opening.task = asyncio.get_running_loop().create_task(self._run(session, opening))
        self._runs[task] = ApplicationRun(session, self._now())
        task.add_done_callback(self._runs.pop)

    # From one process to the next

    @property
    def unserved(self) -> int:
        """What counts of all that browsers sent and the application has not received."""
        return self._unreceived.size

    @property
    def is_at_rest(self) -> bool:
        """Whether all that browsers sent is served."""
        return all(run.session.is_at_rest for run in self._runs.values())

    def begin_again(self, identities: object, frozen: Mapping[str, Any]) -> HostedSession:
        """A websocket of the process before this one, for a new consumer."""
        kept = Kept.thaw(frozen["kept"])
        opening = ReopenedSocket(kept, frozen["subprotocol"])
        session = HostedSession(opening, self._unreceived, self._now, kept)

        def begin() -> None:
            if session.is_replayed:
                self._begin(session, opening)
            else:
                session.finish(UNDECIDED)

        session.replay(Replay(frozen, opening, self.replays.add(begin)))
        return session

    def refuse_undecided(self) -> None:
        """Those who wait for their 101 are to come again, to another process."""
        for run in list(self._runs.values()):
            if run.session.is_undecided:
                run.session.give_up(AGAIN)

    def recall(self, request: Request) -> None:
        """The application has to be asked."""

    async def _run(self, session: HostedSession, opening: Opening) -> None:
        current_session.set(session)
        scope = describe_websocket(opening.request, opening.handshake, self._lifespan.state)
        refusal = APPLICATION_FAILED
        try:
            await self._application(scope, session.receive, session.send)  # type: ignore[arg-type]
            refusal = UNDECIDED
        except asyncio.CancelledError:
            pass  # ours: nobody waits for this task
        except BaseException as error:
            if is_missing_route(error):
                refusal = NO_ROUTE  # an outsider's doing, not a fault that has to be found
            else:
                log.error("Exception inside application: %s", error, exc_info=error)  # noqa: TRY400
        finally:
            session.finish(refusal)

    @property
    def running(self) -> int:
        """Websockets that the application works on for, also such as have ended."""
        return len(self._runs)

    # Time limits

    def sweep(self) -> Iterator[bool]:
        """Looks at every websocket once."""
        now = self._now()
        for task, run in list(self._runs.items()):
            yield self._end_late(task, run, now)

    def _end_late(self, task: asyncio.Task[None], run: ApplicationRun, now: float) -> bool:
        """Whether the time was up for something."""
        session, over_since = run.session, run.session.over_since
        if over_since is not None:
            is_late = now - over_since > self._close_timeout and not task.done()
            if is_late:
                run.ending.cancel(task, f"websocket {session.path[:200]!r}")
        elif is_late := session.is_replayed and now - run.began > REPLAY_SECONDS:
            session.end_late_replay()
        elif is_late := session.is_undecided and 0 <= self._connect_timeout < now - run.began:
            session.give_up(UNDECIDED)
        return is_late

    # The end

    def begin_stop(self) -> None:
        """The server closes what is undecided; the application is told by that."""

    async def stop(self, seconds: float) -> None:
        """Lets the application end what it does for sockets that are closed, then its lifespan."""
        end = self._now() + seconds
        if self._runs:
            await asyncio.wait(self._runs, timeout=seconds)
        for task in self._runs:
            task.cancel()
        await self._lifespan.stop(max(0.5, end - self._now()))
        while self._restore:
            self._restore.pop()()
