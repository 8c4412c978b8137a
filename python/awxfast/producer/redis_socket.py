"""A connection to Redis that belongs to the process: a socket, used from any thread or loop, one at a time.

AWX sends each event from a new event loop. A stream belongs to its loop and would be opened and closed for each event.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Sequence
from typing import Any, Self

import hiredis

from awxfast.errors import RedisUnavailable
from awxfast.producer.way_in import PATIENCE, get_in, open_socket
from awxfast.redis.address import RedisAddress
from awxfast.redis.commands import pack
from awxfast.redis.connection_failure import CLOSED, describe_failure
from awxfast.wire.group_send import Script, Word

CHUNK = 65_536


class RedisSocket:
    """Commands and their replies. Every failure to reach Redis is a `ConnectionError`; then it must be closed."""

    def __init__(self, connected: socket.socket, patience: float = PATIENCE) -> None:
        """`patience`: seconds that an answer may take."""
        self._socket = connected
        self._patience = patience
        self._reader = hiredis.Reader()

    @classmethod
    def connect(cls, address: RedisAddress) -> Self:
        """Connects to an address that says the place, and gets in. Raises `ConnectionError`, which names no password.

        Also `ConfigurationError` for what can't be used of the address, and `hiredis.ReplyError` for a refusal.
        """
        try:
            made = cls(open_socket(address), address.answer_seconds or PATIENCE)
        except OSError as error:
            raise ConnectionError(f"Redis at {address}: {describe_failure(error)}") from error
        try:
            get_in(made.ask, address)
        except RedisUnavailable as error:
            made.close()
            raise ConnectionError(str(error)) from error
        except BaseException:
            made.close()
            raise
        return made

    @property
    def is_stale(self) -> bool:
        """Whether Redis has closed it meanwhile, or said what nobody asked for."""
        self._socket.setblocking(False)
        try:
            self._socket.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
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
        overdue = time.monotonic() + self._patience
        self._socket.settimeout(self._patience)
        try:
            self._socket.sendall(packed)
            while (reply := self._next_reply()) is False:
                self._socket.settimeout(_seconds_to(overdue))
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

    # The same in a coroutine, of any loop, without TLS: loops read no such socket

    async def ask_later(self, *words: Word) -> Any:
        """The same as `ask`, in code that must not block."""
        packed = pack(words)
        loop = asyncio.get_running_loop()
        self._socket.setblocking(False)
        try:
            async with asyncio.timeout(self._patience):
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
            raise ConnectionResetError(CLOSED)
        self._reader.feed(data)


def _seconds_to(overdue: float) -> float:
    """Raises `TimeoutError` where there are none."""
    if (left := overdue - time.monotonic()) > 0:
        return left
    raise TimeoutError("timed out")


def is_unknown_script(error: Exception) -> bool:
    """Whether Redis was restarted, or its scripts flushed."""
    return str(error).startswith("NOSCRIPT")
