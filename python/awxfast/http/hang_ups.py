"""Tells when the other end of a socket pair is closed altogether, by one descriptor for all of them."""

import asyncio
import select
import socket
from collections.abc import Callable


class HangUps:
    """Who waits for a hang-up. Made when the first does, and there until `close`."""

    def __init__(self) -> None:
        self._calls: dict[int, Callable[[], None]] = {}
        self._loop = asyncio.get_running_loop()
        self._epoll = select.epoll()
        self._loop.add_reader(self._epoll.fileno(), self._tell)

    def watch(self, near: socket.socket, call: Callable[[], None]) -> None:
        """Calls when nobody has the other end any more. Raises `OSError` where the kernel has no room for it."""
        self._epoll.register(near, 0)  # a hang-up is told unasked, and here nothing else
        self._calls[near.fileno()] = call

    def forget(self, near: socket.socket) -> None:
        """Before `near` is closed: its number may be another's then."""
        if self._calls.pop(near.fileno(), None) is not None:
            self._epoll.unregister(near)

    def close(self) -> None:
        """Nobody is told any more."""
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _tell(self) -> None:
        for descriptor, _ in self._epoll.poll(0):
            if call := self._calls.get(descriptor):
                call()
