"""One connection to a NATS server, by nats-py, from its opening to its end."""

import asyncio
import contextlib
import re
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from nats import errors
from nats.aio.client import DEFAULT_BUFFER_SIZE, Client, Srv
from nats.aio.transport import TcpTransport, Transport

from awxfast.engine.address import write_server
from awxfast.engine.nats_options import NatsOptions
from awxfast.engine.waiting_messages import Message
from awxfast.errors import AwxfastError, ConfigurationError
from awxfast.late_timeouts import answered_within
from awxfast.printable import escape

OPEN_SECONDS = 2.0
"""For a server to answer a new connection, its TLS and login included."""
PONG_SECONDS = 2.0
"""For it to answer a ping; later it is taken for frozen."""
LATE_SECONDS = 0.2
"""After a ping without an answer nothing more is sent to it, as it may be frozen: what waits here can go elsewhere."""
MOST_UNCONFIRMED = 10_000
"""Messages that are sent ahead of its confirmation."""
CLOSE_SECONDS = 1.0
DENIED = re.compile(r'permissions violation for (publish|subscription) to "([^"]+)"')


class NatsConnectionFailed(AwxfastError):
    """A server can't be reached, or does not want us; in words for an operator, without a secret."""


class NoTls(errors.Error):
    """TLS was asked for, and the server has none: nothing of ours goes there in the clear."""


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
        self._connection = connection
        self._wants_tls = wants_tls

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        self._connection.hear(sid, data)

    async def _connect_to_server(self, s: Srv) -> None:
        self._transport = NatsTransport()  # type: ignore[no-untyped-call]
        await self._transport.connect(s.uri, DEFAULT_BUFFER_SIZE, self.options["connect_timeout"])

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        """It keeps the first limit, and would go on in the clear where a server has no TLS, or need not have it."""
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

        The last is to publish or to subscribe, with the channel in small letters, and how many events did not go.
        """
        self.hear = hear
        self._tell_ended = ended
        self._tell_servers = told
        self._tell_denied = denied
        self.most_bytes = 1_048_576
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._options = options
        self._client = NatsClient(self, options.tls is not None)
        self._unconfirmed: deque[tuple[str, int]] = deque()
        self._sent = self._confirmed = 0
        self._asked = 0.0
        self._is_open = False
        self._last_error: Exception | None = None

    async def open(self, host: str, port: int, certificate_name: str) -> None:
        """Connects to one server and logs in. Raises `NatsConnectionFailed`, or `ConfigurationError` (`is_refusal`)."""
        try:
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
                    **self._options.read_login(),
                )
        except Exception as error:
            told = self._last_error if isinstance(error, errors.NoServersError) else None
            reason = describe_failure(told or error)
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
        if isinstance(limit, int) and limit > 0:
            self.most_bytes = limit
            self._client._max_payload = limit
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
        return True

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
        with contextlib.suppress(Exception):  # nats-py's, of what may be half open; the abort does without it
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._client.close()
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
        except (OSError, RuntimeError) as error:
            self.end(describe_failure(error))

    async def _note_error(self, error: Exception) -> None:
        self._last_error = error
        if (found := DENIED.search(str(error))) is not None:
            verb, name = found.groups()
            events = self._forget_denied(name) if verb == "publish" else 0
            self._tell_denied(verb.replace("ription", "ribe"), name, events)

    def _forget_denied(self, name: str) -> int:
        """The oldest message to that channel, whose letters nats-py has made small."""
        for index, (channel, events) in enumerate(self._unconfirmed):
            if events and channel.lower() == name:
                self._unconfirmed[index] = (channel, 0)
                return events
        return 0


def is_refusal(error: Exception) -> bool:
    """Whether somebody has to change something: who we are, certificates, or what the address says."""
    return isinstance(error, ConfigurationError | NoTls | ssl.SSLError) or says_unauthorized(error)


def says_unauthorized(error: Exception) -> bool:
    """Whether it is the server's word for it."""
    return isinstance(error, errors.Error) and "authorization" in str(error).lower()


def describe_failure(error: Exception) -> str:
    """In words for an operator. Of what nobody has words for only the kind, as a secret may be in its text."""
    match error:
        case ConfigurationError():
            return str(error)
        case NoTls():
            return "it has no TLS, which --engine asks for"
        case errors.UnexpectedEOF() | errors.StaleConnectionError():
            return "the connection broke"
        case ssl.SSLCertVerificationError():
            return f"its certificate is refused: {error.verify_message}"
        case ssl.SSLError():
            return f"TLS fails: {(error.reason or 'the connection broke').replace('_', ' ').lower()}"
        case TimeoutError():
            return f"it does not answer within {OPEN_SECONDS:.0f} s"
        case OSError():
            return escape(error.strerror or str(error) or type(error).__name__)
        case errors.Error() if says_unauthorized(error):
            return "it refuses the user, token or key of --engine"
        case errors.Error():
            return f"it says {escape(str(error).removeprefix('nats: ').strip())}"
    return f"unexpected {type(error).__name__}"
