"""Reloads as main does them: one at a time, as they are asked for; whoever waits for one hears what became of it."""

import asyncio
import contextlib
import json
import logging
import os
import socket
import struct
from typing import Any

from awxfast.errors import HandOverFailed
from awxfast.process.supervisor import Supervisor

log = logging.getLogger(__name__)

READY = b"ready\n"
MOST_WATCHERS = 16


def name_watch_socket(main: int) -> str:
    """Where the main process with this number tells what becomes of reloads: in the abstract namespace (unix(7))."""
    return f"\0awxfast-reloads-{main}"


class Reloads:
    """`ask` for one, now or behind the one that is under way; several that wait for that are one."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._asked = asyncio.Event()
        self._watchers: list[asyncio.StreamWriter] = []

    def ask(self) -> None:
        """A reload is wanted."""
        self._asked.set()

    async def run(self) -> None:
        """Until it is cancelled."""
        server = await self._open_watch_socket()
        try:
            while True:
                await self._asked.wait()
                self._asked.clear()
                watchers, self._watchers = self._watchers, []
                await self._tell(watchers, await self._reload())
        finally:
            if server is not None:
                server.close()

    async def _reload(self) -> dict[str, Any]:
        log.info("Reloading: a new process starts from what is installed now")
        try:
            outcome = await self._supervisor.replace_child()
        except HandOverFailed as error:
            text = f"the old process goes on: {error}"
            log.error("reload: %s", text)  # noqa: TRY400  whatever was wrong with the new one, it is said
            return {"done": False, "text": text}
        text = describe_reload(self._supervisor.generation, outcome)
        log.info("%s", text)
        return {"done": True, "text": text}

    # Who waits for one

    async def _open_watch_socket(self) -> asyncio.Server | None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.bind(name_watch_socket(os.getpid()))
            return await asyncio.start_unix_server(self._admit, sock=sock)
        except OSError as error:
            sock.close()
            log.warning("awxfast reload can't hear what becomes of a reload: %s", error.strerror)
            return None

    async def _admit(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._watchers) >= MOST_WATCHERS or not may_watch(writer.get_extra_info("socket")):
            writer.close()
            return
        self._watchers.append(writer)
        writer.write(READY)

    async def _tell(self, watchers: list[asyncio.StreamWriter], outcome: dict[str, Any]) -> None:
        for writer in watchers:
            writer.write(json.dumps(outcome).encode() + b"\n")
            writer.close()
        for writer in watchers:
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def may_watch(sock: socket.socket) -> bool:
    """Whether it is root or this process's own user: whoever may send signals."""
    _, user, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return user in (0, os.geteuid())


def describe_reload(generation: int, outcome: dict[str, Any]) -> str:
    """The line for the operator; what the new process could not say is not known."""
    kept, silence = outcome.get("kept", 0), outcome.get("silence", 0.0)
    return (
        f"reload: generation {generation}, {kept} sockets kept, {outcome.get('drained', 0)} drained, "
        f"silence at most {silence * 1000:.0f} ms"
    )
