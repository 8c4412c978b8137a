"""A connection to Redis that belongs to the process: a plain socket, used from any thread or loop, one at a time.

AWX sends each event from a new event loop. A stream belongs to its loop and would be opened and closed for each event.
"""

import asyncio
import socket
from collections.abc import Sequence
from typing import Any, Self

import hiredis

from awxfast.redis.address import RedisAddress
from awxfast.redis.commands import pack
from awxfast.wire.group_send import Script, Word

PATIENCE = 5.0
"""Seconds that Redis may take to connect, or to answer."""
CHUNK = 65_536


class RedisSocket:
    """Commands and their replies. Every failure to reach Redis is a `ConnectionError`; then it must be closed."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._reader = hiredis.Reader()

    @classmethod
    def connect(cls, address: RedisAddress) -> Self:
        """Connects and gets in. Raises `ConnectionError`, which names no password."""
        try:
            made = cls(connect(address))
        except OSError as error:
            raise ConnectionError(f"Redis at {address.path or f'{address.host}:{address.port}'}: {error}") from error
        try:
            made._get_in(address)
        except BaseException:
            made.close()
            raise
        return made

    def _get_in(self, address: RedisAddress) -> None:
        if address.password is not None:
            self.ask("AUTH", *([address.username] if address.username else []), address.password)
        if address.db:
            self.ask("SELECT", address.db)

    @property
    def is_stale(self) -> bool:
        """Whether Redis has closed it meanwhile, or said what nobody asked for."""
        self._socket.setblocking(False)
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def close(self) -> None:
        """Closes the socket for good."""
        self._socket.close()

    # One command, in code that may block

    def ask(self, *words: Word) -> Any:
        """The reply. Raises `hiredis.ReplyError` for an error that Redis reports."""
        packed = pack(words)
        self._socket.settimeout(PATIENCE)
        try:
            self._socket.sendall(packed)
            while (reply := self._next_reply()) is False:
                self._feed(self._socket.recv(CHUNK))
        except OSError as error:
            raise ConnectionError(f"Redis does not answer: {error}") from error
        return reply

    def run_script(self, script: Script, words: Sequence[Word]) -> Any:
        """Runs the script by its digest; with its text where Redis does not know it, which is so after a restart."""
        try:
            return self.ask("EVALSHA", script.digest, 0, *words)
        except hiredis.ReplyError as error:
            if not is_unknown_script(error):
                raise
        return self.ask("EVAL", script.text, 0, *words)

    # The same in a coroutine, of any loop

    async def ask_later(self, *words: Word) -> Any:
        """The same as `ask`, in code that must not block."""
        packed = pack(words)
        loop = asyncio.get_running_loop()
        self._socket.setblocking(False)
        try:
            async with asyncio.timeout(PATIENCE):
                await loop.sock_sendall(self._socket, packed)
                while (reply := self._next_reply()) is False:
                    self._feed(await loop.sock_recv(self._socket, CHUNK))
        except (OSError, TimeoutError) as error:
            raise ConnectionError(f"Redis does not answer: {error}") from error
        return reply

    async def run_script_later(self, script: Script, words: Sequence[Word]) -> Any:
        """The same as `run_script`, in code that must not block."""
        try:
            return await self.ask_later("EVALSHA", script.digest, 0, *words)
        except hiredis.ReplyError as error:
            if not is_unknown_script(error):
                raise
        return await self.ask_later("EVAL", script.text, 0, *words)

    def _next_reply(self) -> Any:
        """False: it has not come yet."""
        reply = self._reader.gets()
        if isinstance(reply, hiredis.ReplyError):
            raise reply
        return reply

    def _feed(self, data: bytes) -> None:
        if not data:
            raise ConnectionResetError("it closed the connection")
        self._reader.feed(data)


def connect(address: RedisAddress) -> socket.socket:
    """Connects, without TLS. Raises `OSError`."""
    return connect_unix(address.path) if address.path is not None else connect_tcp(address.host, address.port)


def connect_unix(path: str) -> socket.socket:
    """Connects to a socket file. Raises `OSError`."""
    connected = socket.socket(socket.AF_UNIX)
    connected.settimeout(PATIENCE)
    try:
        connected.connect(path)
    except OSError:
        connected.close()
        raise
    return connected


def connect_tcp(host: str, port: int) -> socket.socket:
    """Connects to a port. Raises `OSError`."""
    connected = socket.create_connection((host, port), PATIENCE)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connected


def is_unknown_script(error: Exception) -> bool:
    """Whether Redis was restarted, or its scripts flushed."""
    return str(error).startswith("NOSCRIPT")
