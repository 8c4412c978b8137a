"""Who waits to hear what becomes of a reload: `awxfast reload`, over a socket in the abstract namespace (unix(7))."""

import asyncio
import contextlib
import json
import logging
import os
import socket
import struct
from collections.abc import Mapping
from typing import Any

log = logging.getLogger(__name__)

READY = b"ready\n"
FULL = b"full\n"
MOST_WATCHERS = 16
PAUSE_SECONDS = 1.0
"""How long nobody is let in after a failure to: the kernel would say again and again that somebody waits."""


def name_watch_socket(main: int) -> str:
    """Where the main process with this number tells what becomes of reloads."""
    return f"\0awxfast-reloads-{main}"


class Watchers:
    """Who waits for this reload, or the one after it. What is told is small, and fits into a socket at once."""

    def __init__(self, server: socket.socket | None) -> None:
        """`server` listens; None: nobody can ask."""
        self._server = server
        self._next: list[socket.socket] = []
        self._present: list[socket.socket] = []
        self._pause: asyncio.TimerHandle | None = None

    @classmethod
    def open(cls) -> "Watchers":
        """A server where `name_watch_socket` says; without one where that can not be had."""
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            server.bind(name_watch_socket(os.getpid()))
            server.listen(MOST_WATCHERS)
        except OSError as error:
            server.close()
            log.warning("awxfast reload can't hear what becomes of a reload: %s", error.strerror)
            return cls(None)
        return cls(server)

    def begin(self) -> None:
        """Lets them in from now on."""
        loop = asyncio.get_running_loop()
        self._listen()
        for sock in (*self._next, *self._present):
            loop.add_reader(sock, self._forget, sock)

    def _listen(self) -> None:
        self._pause = None
        if self._server is not None:
            asyncio.get_running_loop().add_reader(self._server, self._accept)

    def _accept(self) -> None:
        assert self._server is not None
        try:
            sock, _ = self._server.accept()
        except (BlockingIOError, ConnectionError, InterruptedError):
            return
        except OSError:  # there is no descriptor left, and who waits stays there
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._server)
            self._pause = loop.call_later(PAUSE_SECONDS, self._listen)
            return
        with contextlib.suppress(OSError):
            self._admit(sock)

    def _admit(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        if not may_watch(sock):
            sock.close()
        elif len(self._next) >= MOST_WATCHERS:
            send_last(sock, FULL)
        else:
            sock.send(READY)
            self._next.append(sock)
            asyncio.get_running_loop().add_reader(sock, self._forget, sock)

    def _forget(self, sock: socket.socket) -> None:
        """They say nothing, so whatever comes of one is its end."""
        with contextlib.suppress(BlockingIOError, InterruptedError):
            with contextlib.suppress(ConnectionError):
                sock.recv(1)
            self._drop(sock)

    def _drop(self, sock: socket.socket) -> None:
        for watchers in (self._next, self._present):
            if sock in watchers:
                watchers.remove(sock)
        asyncio.get_running_loop().remove_reader(sock)
        sock.close()

    def begin_reload(self) -> None:
        """Who waits now is told of the one that begins."""
        self._present += self._next
        self._next = []

    def tell(self, *, done: bool, text: str) -> None:
        """What became of it."""
        watchers, self._present = self._present, []
        for sock in watchers:
            asyncio.get_running_loop().remove_reader(sock)
            send_last(sock, json.dumps({"done": done, "text": text}).encode() + b"\n")

    def close(self) -> None:
        """Nobody is told anything any more."""
        self._rest()
        for sock in (self._server, *self._next, *self._present):
            if sock is not None:
                sock.close()

    def _rest(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        for sock in (self._server, *self._next, *self._present):
            if sock is not None:
                asyncio.get_running_loop().remove_reader(sock)

    # From one program of main to the next

    def freeze(self, kept: list[int]) -> dict[str, Any]:
        """What `adopt` needs, as JSON has it; `kept` gets the descriptors, which are not this one's any more."""
        self._rest()
        server = self._server.detach() if self._server is not None else None
        following, present = ([sock.detach() for sock in socks] for socks in (self._next, self._present))
        self._server, self._next, self._present = None, [], []
        kept += [*following, *present, *([] if server is None else [server])]
        return {"server": server, "next": following, "present": present}

    @classmethod
    def adopt(cls, frozen: Mapping[str, Any]) -> "Watchers":
        """The watchers of main's former program. What that could not have may be free by now."""
        server = frozen["server"]
        watchers = cls(socket.socket(fileno=server)) if server is not None else cls.open()
        watchers._next = [socket.socket(fileno=number) for number in frozen["next"]]
        watchers._present = [socket.socket(fileno=number) for number in frozen["present"]]
        return watchers


def may_watch(sock: socket.socket) -> bool:
    """Whether it is root or this process's own user: whoever may send signals."""
    return read_peer(sock)[1] in (0, os.geteuid())


def read_peer(sock: socket.socket) -> tuple[int, int]:
    """Number and user of the process at the other end: who connected, or who listens there (unix(7), SO_PEERCRED)."""
    pid, user, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return pid, user


def send_last(sock: socket.socket, line: bytes) -> None:
    """Says it, and closes."""
    with contextlib.suppress(OSError), sock:
        sock.send(line)
