"""One connection to a NATS server, by nats-py, from its opening to its end."""

import asyncio
import contextlib
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from nats import errors
from nats.aio.client import DEFAULT_BUFFER_SIZE, Client, Srv
from nats.aio.transport import TcpTransport, Transport

from awxfast.engine.address import write_server
from awxfast.engine.nats_failures import OPEN_SECONDS, NoTls, describe_failure, is_refusal, quote
from awxfast.engine.nats_options import NatsOptions
from awxfast.engine.nats_parser import MOST_PAYLOAD, NatsParser
from awxfast.engine.waiting_messages import Message
from awxfast.errors import AwxfastError, ConfigurationError
from awxfast.late_timeouts import answered_within

PONG_SECONDS = 2.0
"""For it to answer a ping; later it is taken for frozen."""
LATE_SECONDS = 0.2
"""After a ping without an answer nothing more is sent to it, as it may be frozen: what waits here can go elsewhere."""
MOST_UNCONFIRMED = 10_000
"""Messages that are sent ahead of its confirmation."""
CLOSE_SECONDS = 1.0
MOST_UNREAD = 2 * MOST_PAYLOAD
"""Bytes that wait for a server which goes on answering, but takes nothing."""
PUBLISH = "publish"
DENIED = re.compile(rf'permissions violation for ({PUBLISH}|subscription) to "([^"]+)"', re.IGNORECASE)


class NatsConnectionFailed(AwxfastError):
    """A server can't be reached, or does not want us; in words for an operator, without a secret."""


class NatsTransport(TcpTransport):
    """nats-py's own leaves what reads in ignorance of TLS: asyncio would warn at each end of a connection."""

    async def connect_tls(self, *arguments: Any) -> None:
        await super().connect_tls(*arguments)
        assert self._io_writer is not None
        transport = self._io_writer.transport
        transport.get_protocol().connection_made(transport)


class NatsClient(Client):
    """nats-py's client with another way for messages. What is not of its public interface is used in this module alone.

    Its own way has a queue and mostly a task for each subscription, and drops what finds no room.
    """

    def __init__(self, connection: "NatsConnection", wants_tls: bool) -> None:
        super().__init__()
        self._ps = NatsParser(connection)  # type: ignore[assignment]
        self._connection = connection
        self._wants_tls = wants_tls

    async def _connect_to_server(self, s: Srv) -> None:
        self._transport = NatsTransport()  # type: ignore[no-untyped-call]
        await self._transport.connect(s.uri, DEFAULT_BUFFER_SIZE, self.options["connect_timeout"])

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        """It would go on in the clear where a server has no TLS, or need not have it."""
        if initial_connection and self._wants_tls:
            if not (info.get("tls_required") or info.get("tls_available")):
                raise NoTls
            info["tls_required"] = True
        self._connection.learn(info)

    async def _close(self, status: int, do_cbs: bool = True) -> None:
        """Also what it does by itself when the connection breaks."""
        self._connection.end(describe_failure(self.last_error) if self.last_error else "the connection broke")
        await super()._close(status, do_cbs)


class NatsConnection:
    """Names of subscriptions are numbers, as in NATS' protocol. Broken once, it stays so."""

    def __init__(
        self,
        options: NatsOptions,
        *,
        hear: Callable[[int, bytes], None],
        ended: Callable[[str], None],
        told: Callable[[Iterable[object]], None],
        denied: Callable[[str, str, int], None],
    ) -> None:
        """Whom it tells: a message of a subscription; that it broke, and why; which servers there are; what is denied.

        The last is to publish, with the channel as a log may have it and how many events did not go, or to subscribe,
        with the channel as the server names it.
        """
        self.hear = hear
        self._tell_ended = ended
        self._tell_servers = told
        self._tell_denied = denied
        self.most_bytes = 1_048_576
        self.is_stopping = False
        """Whether the server has said that it will end connections soon."""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._options = options
        self._client = NatsClient(self, options.tls is not None)
        self._secrets: Collection[str] = ()
        self._unconfirmed: deque[tuple[str, int]] = deque()
        self._denied: Counter[tuple[str, str]] = Counter()
        self._sent = self._confirmed = 0
        self._asked = 0.0
        self._is_open = False
        self._last_error: Exception | None = None

    async def open(self, host: str, port: int, certificate_name: str) -> None:
        """Connects to one server and logs in. Raises `NatsConnectionFailed`, or `ConfigurationError` (`is_refusal`)."""
        try:
            login = self._options.read_login()
            self._secrets = [str(words) for name, words in login.items() if name != "user"]
            async with answered_within(OPEN_SECONDS):
                await self._client.connect(
                    f"nats://{write_server((host, port))}",
                    error_cb=self._note_error,
                    name="awxfast",
                    allow_reconnect=False,
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    tls=self._options.make_tls(),
                    tls_hostname=certificate_name,
                    **login,
                )
        except Exception as error:
            told = self._last_error if isinstance(error, errors.NoServersError) else None
            reason = describe_failure(told or error, self._secrets)
            await self.close()
            kind = ConfigurationError if is_refusal(told or error) else NatsConnectionFailed
            raise kind(reason) from error
        except asyncio.CancelledError:
            self._abort()
            raise
        self._is_open = True

    @property
    def unconfirmed(self) -> int:
        """Messages that were sent, and that the server has not confirmed."""
        return len(self._unconfirmed)

    @property
    def is_behind(self) -> bool:
        """Whether to wait for `confirm` before more is sent."""
        is_late = bool(self._client._pongs) and time.monotonic() - self._asked > LATE_SECONDS
        return is_late or len(self._unconfirmed) >= MOST_UNCONFIRMED

    @property
    def unconfirmed_events(self) -> int:
        """In those: lost, as far as anybody knows, when the connection breaks."""
        return sum(events for _, events in self._unconfirmed)

    def learn(self, info: dict[str, Any]) -> None:
        """What the server says of itself and the cluster: at the beginning, and with each change."""
        limit = info.get("max_payload")
        if type(limit) is int and limit > 0:
            self.most_bytes = min(limit, MOST_PAYLOAD)
        self.is_stopping = self.is_stopping or info.get("ldm") is True
        if isinstance(urls := info.get("connect_urls"), list) and urls:
            self._tell_servers(urls)

    def subscribe(self, subscriptions: Iterable[tuple[str, int]]) -> None:
        """Names and the numbers of each; confirmed when `confirm` is."""
        self._write([b"SUB %b  %d\r\n" % (name.encode(), number) for name, number in subscriptions])

    def unsubscribe(self, numbers: Iterable[int]) -> None:
        """Messages that are on their way still come."""
        self._write([b"UNSUB %d\r\n" % number for number in numbers])

    def publish(self, messages: Sequence[Message]) -> None:
        """None of them larger than `most_bytes`."""
        parts: list[bytes] = []
        for name, message, events in messages:
            parts += (b"PUB %b %d\r\n" % (name.encode(), len(message)), message, b"\r\n")
            self._unconfirmed.append((name, events))
        self._sent += len(messages)
        self._write(parts)

    @property
    def _transport(self) -> Transport:
        """Of nats-py: what it has of its own for messages makes a future and wakes a task for each."""
        assert self._client._transport is not None, "opened first"
        return self._client._transport

    async def drain(self) -> None:
        """Waits while the server does not take what was written."""
        try:
            await self._transport.drain()  # type: ignore[no-untyped-call]
        except (OSError, RuntimeError) as error:
            self.end(describe_failure(error))

    async def confirm(self) -> bool:
        """Waits until the server has taken all that was written so far; False: it has not, and the connection ended."""
        if self.ended.done():
            return False
        pong: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if not self._client._pongs:
            self._asked = time.monotonic()
        self._client._pongs.append(pong)
        sent = self._sent
        self._write([b"PING\r\n"])
        try:
            async with answered_within(PONG_SECONDS):
                await asyncio.wait((pong, self.ended), return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            self.end(f"it has not answered for {PONG_SECONDS:.0f} s")
        if not pong.done():
            return False
        while self._confirmed < sent:
            self._confirmed += 1
            self._unconfirmed.popleft()
        return not self.ended.done()  # it may have answered, and ended in the same read

    def end(self, reason: str) -> None:
        """It is of no use any more."""
        if not self.ended.done():
            self.ended.set_result(None)
            if self._is_open:
                self._tell_ended(reason)

    async def close(self) -> None:
        """Lets go of it, whatever the server does."""
        self._is_open = False
        self.end("closed")
        try:
            with contextlib.suppress(Exception):  # nats-py's, of what may be half open; the abort does without it
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._client.close()
        finally:
            self._abort()

    def _abort(self) -> None:
        """nats-py waits for its peer when it closes, be that frozen."""
        for name in ("_io_writer", "_bare_io_writer"):  # the other one is under TLS
            writer = getattr(self._client._transport, name, None)
            if writer is not None:
                writer.transport.abort()

    def _write(self, parts: list[bytes]) -> None:
        if self.ended.done() or not parts:
            return
        try:
            self._transport.writelines(parts)
            if self._transport._io_writer.transport.get_write_buffer_size() > MOST_UNREAD:  # type: ignore[attr-defined]
                self.end("it does not take what it is sent")
        except (OSError, RuntimeError) as error:
            self.end(describe_failure(error))

    # What the server says

    def note_ping(self) -> None:
        """It is told that we are there."""
        self._write([b"PONG\r\n"])

    def note_pong(self) -> None:
        """To the first of our questions that waits; nats-py asks seldom, too, and counts."""
        if self._client._pongs:
            self._client._pongs.pop(0).set_result(True)
            self._client._pings_outstanding = 0

    def note_complaint(self, text: str) -> None:
        """What is denied is told by name when all of a read is known; anything else ends the connection."""
        if (found := DENIED.search(text)) is None:
            self.end(describe_failure(errors.Error(text), self._secrets))
            return
        if not self._denied:
            asyncio.get_running_loop().call_soon(self._tell_all_denied)
        self._denied[found[1].lower(), found[2]] += 1

    async def _note_error(self, error: Exception) -> None:
        self._last_error = error

    def _tell_all_denied(self) -> None:
        denied, self._denied = self._denied, Counter()
        lost = self._forget_denied(Counter({name: times for (verb, name), times in denied.items() if verb == PUBLISH}))
        for verb, name in denied:
            if verb == PUBLISH:
                self._tell_denied("publish", quote(name, self._secrets), lost[name])
            else:
                self._tell_denied("subscribe", name, 0)

    def _forget_denied(self, denied: Counter[str]) -> Counter[str]:
        """The oldest messages to these channels, so many of each; how many events were in them."""
        lost: Counter[str] = Counter()
        for index, (channel, events) in enumerate(self._unconfirmed if denied else ()):
            if events and denied[channel] > 0:
                denied[channel] -= 1
                self._unconfirmed[index] = (channel, 0)
                lost[channel] += events
        return lost
