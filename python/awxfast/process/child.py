"""The serving process: runs the application's rooms on uvloop until main asks it to stop, or is gone."""

import asyncio
import dataclasses
import logging
import os
import resource
import signal
import socket
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, NoReturn

import uvloop
from asgiref.typing import ASGI3Application

from awxfast.errors import AwxfastError, HandOverFailed, describe_unexpected
from awxfast.hosted.application import load_application
from awxfast.http.listening import make_listening
from awxfast.process.child_handle import MAINS_SIGNALS
from awxfast.process.control import Control
from awxfast.process.limits import (
    bound_worker_threads,
    collect_garbage_seldom,
    describe_limits,
    most_clients,
    raise_descriptor_limit,
)
from awxfast.process.log import configure_log
from awxfast.process.pipe import Pipe, receive_blocking
from awxfast.settings import Settings
from awxfast.system.queued_stream import leave

if TYPE_CHECKING:
    from awxfast.app.relay import Relay

log = logging.getLogger(__name__)


def main(control_descriptor: int) -> NoReturn:
    """Never returns: worker threads that are blocked must not hold up the end of the process."""
    sock, start = take_start(control_descriptor)
    prepared = prepare(start)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        leave(runner.run(run_child(sock, start, prepared)))


def take_start(control_descriptor: int) -> tuple[socket.socket, dict[str, Any]]:
    """The socket to main, and what main says first; where that is gone this process is, too."""
    for number in MAINS_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, MAINS_SIGNALS)  # main held them back until somebody would ignore them
    sock = socket.socket(fileno=control_descriptor)
    sock.set_inheritable(False)
    start = receive_blocking(sock)
    if start is None:
        leave(1)
    return sock, start


@dataclasses.dataclass(frozen=True, slots=True)
class Prepared:
    """What is made before there is a loop: the settings, and the application or why there is none."""

    settings: Settings | None = None
    application: ASGI3Application | None = None
    failure: Exception | None = None


def prepare(start: dict[str, Any]) -> Prepared:
    """Imports the application while no loop runs: Django refuses to touch a database inside of one."""
    try:
        settings = Settings.from_json(start["settings"])
        configure_log(settings)
        if settings.application is None:
            return Prepared(settings)
        return Prepared(settings, load_application(settings.application))
    except Exception as error:
        return Prepared(failure=error)


async def run_child(sock: socket.socket, start: dict[str, Any], prepared: Prepared) -> int:
    """Serves as main's first message says. A failure is reported to main, which has the last word on stderr."""
    control = RelayControl(await Pipe.open(sock), start)
    return await run_reporting(control, run_rooms(start, prepared, control))


async def run_reporting(control: "Control[Any]", rooms: Coroutine[Any, Any, None]) -> int:
    """Runs a process's rooms to their end; its exit code, after main was told of a failure."""
    try:
        await rooms
    except Exception as error:
        log.debug("what led to the failure", exc_info=True)
        text = str(error) if isinstance(error, AwxfastError) else describe_unexpected(error)
        return await control.report_failure(text, getattr(error, "exit_code", 1))
    await control.report_end()
    return 0


async def run_rooms(start: dict[str, Any], prepared: Prepared, control: "RelayControl") -> None:
    """Sets the process up and runs the application's rooms."""
    if prepared.settings is None:
        raise prepared.failure or AssertionError("there are settings, or there is a failure")
    settings = prepared.settings
    loop = asyncio.get_running_loop()
    loop.set_debug(settings.verbosity >= 3)
    bound_worker_threads(loop, os.environ)
    former, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    descriptors = raise_descriptor_limit()
    if settings.max_clients is None:
        speaks_tls = any(tls_files for *_, tls_files in start["listeners"])
        settings = dataclasses.replace(settings, max_clients=most_clients(descriptors, speaks_tls, settings.workers))
    log.info("%s", describe_limits(former, settings.max_clients or 0))
    # A room that can't be imported is reported to main like any other failure.
    from awxfast.app.serving import serve, succeed

    listenings = [make_listening(socket.socket(fileno=number), *more) for number, *more in start["listeners"]]
    collect_garbage_seldom()
    await control.wait_for_fellows()
    if start.get("inherits") is not None:
        await succeed(settings, listenings, control, prepared.application)
    else:
        await serve(settings, listenings, control, prepared.application)


class RelayControl(Control["Relay"]):
    """The same for a server's relay."""

    _relay: "Relay | None"

    async def _leave_to(self, heir: int, understood: list[int], sock: socket.socket) -> None:
        if self._relay is None:
            raise HandOverFailed("nobody serves at present")
        if understood != (spoken := self._relay.hand_over_format):
            raise HandOverFailed(f"the new process understands another format ({understood}, here {spoken})")
        await self._relay.prepare_leaving(heir)
        if self._stop_asked.is_set():
            raise HandOverFailed("it stops")
        self._relay.leave(sock)
        if self._relay.leaves_counts:
            self.leave_counts(writes_on=False)
