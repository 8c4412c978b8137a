"""Serves until it is told to stop: the life of a relay in its process, from its start or in another one's place."""

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from asgiref.typing import ASGI3Application

from awxfast.app.builders import build_relay
from awxfast.app.fellows import Fellows
from awxfast.app.handover import TAKEN, Inheritance, describe_shortage, end_transfer
from awxfast.app.life import Watching, live, start_unless_stopped, when_stopped
from awxfast.app.relay import Relay
from awxfast.errors import HandOverFailed
from awxfast.figures import Figures
from awxfast.http.access_log import AccessLog
from awxfast.http.listening import Listening
from awxfast.settings import Settings
from awxfast.system.passing import TooFewDescriptors, send_message

PART = "the intake"
"""What it is that ends the process by a fault of its own."""


class Control(Watching[Relay], Protocol):
    """Who runs the process."""

    @property
    def died(self) -> int | None:
        """Events that were lost at most with the process before this one; None: it did not die."""

    @property
    def token(self) -> str | None:
        """What tells it from other processes in Redis; None: anything does."""

    @property
    def used_headers(self) -> Sequence[str]:
        """Nodes' secret headers that were used in the process before this one (`--nonce-replay refuse`)."""

    remember_used: Callable[[str], None]
    """Called with each that is used in another process of this server from now on."""

    def report_used_header(self, header: str) -> None:
        """One more, for the process after this one."""

    @property
    def fellows(self) -> Fellows | None:
        """The other workers; None: there are none."""

    def show(self, figures: Figures, *, inherited: bool = False) -> None:
        """From now on whoever looks sees these. `inherited`: what another process had counted is among them."""


class HeirControl(Control, Protocol):
    """Who runs a process that takes the place of another one."""

    @property
    def predecessor(self) -> socket.socket | None:
        """What that leaves all through."""

    def report_ready(self, understood: list[int]) -> None:
        """Everything is there but what the other one leaves, in this form."""

    def report_succeeded(self, kept: int, drained: int, silence: float) -> None:
        """It has taken so many websockets, so many clients are left; nobody served them for so many seconds at most."""


async def serve(
    settings: Settings,
    listenings: Sequence[Listening],
    control: Control,
    application: ASGI3Application | None = None,
    access_log: AccessLog | None = None,
) -> None:
    """Serves until `control` asks for the end, then flushes and leaves nothing behind.

    `access_log` is another than the settings ask for.
    Raises `ConfigurationError` before it serves, and `StartError` when the intake ended by a fault of its own.
    """
    relay = build_relay(settings, application, access_log, control.token, control.fellows)
    introduce(relay, control)
    control.show(relay.figures)
    await live(relay, control, start_unless_stopped(relay.start(listenings), control), PART)


async def succeed(
    settings: Settings,
    listenings: Sequence[Listening],
    control: HeirControl,
    application: ASGI3Application | None = None,
) -> None:
    """The same in the place of another process, which leaves all; or until that goes on after all.

    Raises `AwxfastError` before it can.
    """
    relay = build_relay(settings, application, None, control.token, control.fellows)
    introduce(relay, control)
    inheritance = None
    try:
        if await start_unless_stopped(relay.look_ahead(), control):
            control.report_ready(relay.hand_over_format)
            inheritance = await receive_unless_stopped(relay, control)
    finally:
        if inheritance is None:
            await relay.give_up()
    if inheritance is None:
        return

    async def take_over() -> bool:
        kept = await relay.take_over(
            inheritance, listenings, lambda: control.show(relay.figures, inherited=relay.leaves_counts)
        )
        head = inheritance.head
        control.report_succeeded(kept, head.get("drained", 0), time.monotonic() - head["rested_at"])
        return True

    await live(relay, control, take_over(), PART)


def introduce(relay: Relay, control: Control) -> None:
    """Tells a relay of the processes around it."""
    if control.died is not None:
        relay.follow_death(control.died)
    relay.share_used_headers(control.used_headers, control.report_used_header)
    control.remember_used = lambda header: relay.share_used_headers([header], control.report_used_header)
    if control.fellows is not None:
        relay.join(control.fellows)


async def receive_unless_stopped(relay: Relay, control: HeirControl) -> Inheritance | None:
    """What the other process leaves, when that knows that it is taken; None: it goes on itself."""
    sock = control.predecessor
    assert sock is not None
    stopping = when_stopped(control, lambda: end_transfer(sock))
    with ThreadPoolExecutor(1) as executor, sock:  # it has to block, and no thread is left behind
        try:
            return await asyncio.get_running_loop().run_in_executor(executor, take_inheritance, relay, sock)
        except (OSError, EOFError):
            return None
        finally:
            stopping.cancel()


def take_inheritance(relay: Relay, sock: socket.socket) -> Inheritance | None:
    """Blocks. None: it can't be taken, which the other process is told; `OSError`, `EOFError`: that is gone."""
    try:
        inheritance = Inheritance.receive(sock)
    except TooFewDescriptors:
        send_message(sock, describe_shortage().encode())
        return None
    try:
        relay.accept(inheritance)
        send_message(sock, TAKEN)
    except HandOverFailed as error:
        send_message(sock, str(error).encode())
    except BaseException:
        inheritance.close()
        raise
    else:
        return inheritance
    inheritance.close()
    return None
