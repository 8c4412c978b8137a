"""The serving process: runs the application's rooms on uvloop until main asks it to stop, or is gone."""

import asyncio
import dataclasses
import logging
import os
import resource
import signal
import socket
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import uvloop
from asgiref.typing import ASGI3Application

from awxfast.errors import AwxfastError
from awxfast.hosted.application import load_application
from awxfast.http.listening import make_listening
from awxfast.process.limits import (
    bound_worker_threads,
    collect_garbage_seldom,
    describe_limits,
    most_clients,
    raise_descriptor_limit,
)
from awxfast.process.log import configure_log
from awxfast.process.pipe import Channel, receive_blocking
from awxfast.process.supervisor import MAINS_SIGNALS
from awxfast.settings import Settings
from awxfast.system.queued_stream import leave

logger = logging.getLogger(__name__)


def main(control_descriptor: int) -> NoReturn:
    """Never returns: worker threads that are blocked must not hold up the end of the process."""
    for number in MAINS_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, MAINS_SIGNALS)  # main held them back until somebody would ignore them
    sock = socket.socket(fileno=control_descriptor)
    sock.set_inheritable(False)
    start = receive_blocking(sock)
    if start is None:
        leave(1)
    prepared = prepare(start)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        leave(runner.run(run_child(sock, start, prepared)))


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
    control = Control(await Channel.open(sock), start.get("used_headers", ()))
    try:
        await run_rooms(start, prepared, control)
    except Exception as error:
        logger.debug("what led to the failure", exc_info=True)
        text = str(error) if isinstance(error, AwxfastError) else f"unexpected {type(error).__name__}: {error}"
        return await control.report_failure(text, getattr(error, "exit_code", 1))
    return 0


async def run_rooms(start: dict[str, Any], prepared: Prepared, control: "Control") -> None:
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
        settings = dataclasses.replace(settings, max_clients=most_clients(descriptors, speaks_tls))
    logger.info("%s", describe_limits(former, settings.max_clients or 0))
    from awxfast.app.serving import serve  # a room that can't be imported is reported to main like any other failure

    listenings = [make_listening(socket.socket(fileno=number), *more) for number, *more in start["listeners"]]
    admin = socket.socket(fileno=start["admin"]) if start["admin"] is not None else None
    collect_garbage_seldom()
    await serve(settings, listenings, admin, control, prepared.application)


class Control:
    """What main asks for, while the rooms run. Main's end takes this process with it, whatever it is doing."""

    def __init__(self, channel: Channel, used_headers: Sequence[str] = ()) -> None:
        self._channel = channel
        self.used_headers = used_headers
        self._stop_asked = asyncio.Event()
        self._reload_files: Callable[[], None] | None = None
        self._receiver = asyncio.ensure_future(self._receive())

    def report_serving(self, reload_files: Callable[[], None]) -> None:
        """Everything runs; `reload_files` is called whenever main asks for it."""
        self._reload_files = reload_files
        self._channel.send("serving")

    def report_used_header(self, header: str) -> None:
        """Main remembers it, for the child after this one."""
        self._channel.send("used_header", header=header)

    async def wait_for_stop(self) -> None:
        """Returns when main asks for an orderly end."""
        await self._stop_asked.wait()

    async def report_failure(self, text: str, exit_code: int) -> int:
        """The process can't go on; returns its exit code."""
        self._receiver.cancel()
        self._channel.send("failed", text=text, exit_code=exit_code)
        await self._channel.close()
        return exit_code

    async def _receive(self) -> None:
        while (message := await self._channel.receive()) is not None:
            match message["kind"]:
                case "ping":
                    self._channel.send("pong")
                case "stop":
                    self._stop_asked.set()
                case "reload_files":
                    self._read_files_again()
        leave(1)

    def _read_files_again(self) -> None:
        try:
            if self._reload_files is not None:
                self._reload_files()
        except Exception as error:  # whatever a file holds, this task must live to notice the end of main
            logger.error("Files were not read again: %s", error)  # noqa: TRY400
