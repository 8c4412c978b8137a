"""Core NATS as a carrier: one subject a channel, and the cluster itself knows who wants which."""

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import Collection

from awxfast.engine.address import EngineAddress, HostPort, write_server
from awxfast.engine.carrier import CarrierFigures, Listener
from awxfast.engine.endings import end_tasks
from awxfast.engine.nats_connection import NatsConnection, NatsConnectionFailed
from awxfast.engine.nats_inbox import NatsInbox
from awxfast.engine.nats_options import NatsOptions
from awxfast.engine.nats_servers import NatsServers
from awxfast.engine.nats_subscriptions import NatsSubscriptions, name_right
from awxfast.engine.troubles import Troubles
from awxfast.engine.waiting_messages import WaitingMessages
from awxfast.errors import ConfigurationError, describe_unexpected
from awxfast.pauses import Pauses
from awxfast.printable import escape

log = logging.getLogger(__name__)

BATCH_BYTES = 262_144
"""What is written at once before we look whether the server takes it."""
CONFIRM_SECONDS = 0.2
"""Between confirmations while messages are sent: so much is uncertain when a connection breaks."""
PING_SECONDS = 1.0
"""Between pings while nothing is sent: a server that freezes is noticed so much and a pong's time later."""
STOP_SECONDS = 1.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
"""Between rounds through all servers."""
SUBJECT = re.compile(r"[\w~-]+(\.[\w~-]+)*", re.ASCII)
AGAIN_SECONDS = 5.0
"""Between tries to subscribe to what is refused: of rights that come back a server says nothing."""
SHORT_LIFE = 2.0
"""Seconds: a connection that broke earlier has not mended anything."""


class NatsCarrier:
    """A `Carrier` with one connection, to whichever server of the cluster answers."""

    def __init__(self, address: EngineAddress) -> None:
        """Raises `ConfigurationError` for options that can't be obeyed."""
        self.address = address
        self._options = NatsOptions.of(address)
        self._servers = NatsServers(address.servers)
        self._pauses = Pauses(FIRST_PAUSE, LONGEST_PAUSE)
        self._troubles = Troubles(log, address)
        self._subscriptions = NatsSubscriptions()
        self._inbox = NatsInbox(self._subscriptions)
        self._waiting = WaitingMessages(self._inbox.note_lost)
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._connection: NatsConnection | None = None
        self._place = address.servers[0]
        self._connected = asyncio.Event()
        self._most_bytes = 1_048_576
        self._trouble = "not connected yet"
        self._is_refused = False
        self._connects = 0
        self._published = self._published_bytes = 0
        self._keeping: asyncio.Task[None] | None = None

    @property
    def most_bytes(self) -> int:
        """Of the largest message that the server takes; it may change."""
        return self._connection.most_bytes if self._connection is not None else self._most_bytes

    @property
    def up(self) -> bool:
        """Whether messages can be sent and come."""
        return self._connected.is_set() and not self._subscriptions.refused

    @property
    def trouble(self) -> str:
        """What is wrong, in words for an operator; empty while all is well."""
        if not self._connected.is_set():
            return self._trouble
        refused = self._subscriptions.refused
        return name_right(self.address.prefix, "subscribe", refused) if refused else self._troubles.refusal

    @property
    def needs_change(self) -> bool:
        """Whether we are not let in, or lack a right."""
        return bool(self.trouble) if self._connected.is_set() else self._is_refused

    @property
    def server(self) -> HostPort:
        """The one that it is connected to, or was last."""
        return self._place

    async def start(self, listener: Listener) -> None:
        """Begins to connect, and returns."""
        self._inbox.listener = listener
        self._keeping = asyncio.create_task(self._keep_connected())

    async def stop(self) -> None:
        """Sends what waits for a moment at most, and lets go of everything."""
        self.release()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await self._send_rest()
        if self._keeping is not None:
            await end_tasks(self._keeping)
        self._waiting.drop_all("stopped")

    def publish(self, channel: str, message: bytes, events: int) -> None:
        """Queues a message; what is queued in one turn of the loop goes out together."""
        if not SUBJECT.fullmatch(channel):
            self._inbox.note_lost(events, "refused")
            return
        self._waiting.put(channel, message, events)
        self._idle.clear()
        self._wake.set()

    def hold(self, but: str) -> None:
        """Messages wait from now on, until `release` or `stop`; not those of this channel."""
        self._waiting.hold(but)

    def release(self) -> None:
        """What is held goes out, in order."""
        self._waiting.release()
        self._wake.set()

    async def subscribe(self, channels: Collection[str]) -> None:
        """Returns when the server has allowed all; stays so, over every break, until `unsubscribe`.

        Raises `ValueError` for a name that NATS can't have, which would end or change what is said to a server.
        """
        if wrong := [channel for channel in channels if not SUBJECT.fullmatch(channel)]:
            raise ValueError(f"{escape(wrong[0])} is no subject")
        fresh = self._subscriptions.add(channels)
        if self._connection is not None:
            self._connection.subscribe(fresh)
        while True:
            await self._connected.wait()
            if self._connection is not None and await self._connection.confirm():
                if not self._subscriptions.is_refused(channels):
                    return
                await asyncio.sleep(PING_SECONDS)

    def unsubscribe(self, channels: Collection[str]) -> None:
        """Nothing of them is heard any more."""
        numbers = self._subscriptions.remove(channels)
        if self._connection is not None:
            self._connection.unsubscribe(numbers)

    def figures(self) -> CarrierFigures:
        """What operators see, at this moment."""
        return CarrierFigures(
            up=self.up,
            reconnects=max(0, self._connects - 1),
            published=self._published,
            published_bytes=self._published_bytes,
            received=self._inbox.received,
            received_bytes=self._inbox.received_bytes,
            queued=len(self._waiting),
            queued_bytes=self._waiting.bytes,
            subscribed=len(self._subscriptions),
        )

    async def _keep_connected(self) -> None:
        while True:
            opened = time.monotonic()
            try:
                self._connection = await self._connect()
                opened = time.monotonic()
                await self._use(self._connection)
            except Exception as error:
                self._note_trouble(describe_unexpected(error))
            finally:
                await self._let_go()
            if time.monotonic() - opened < SHORT_LIFE:
                await asyncio.sleep(self._pauses.take())
            else:
                self._pauses.begin_again()

    async def _connect(self) -> NatsConnection:
        """Tries one server after the other until one takes us."""
        tries = 0
        while True:
            self._place = self._servers.take_next()
            connection = self._make_connection()
            try:
                await connection.open(*self._place, self._servers.name_for_certificate(self._place))
            except (NatsConnectionFailed, ConfigurationError) as error:
                self._is_refused = isinstance(error, ConfigurationError)
                self._note_trouble(str(error))
            else:
                return connection
            tries += 1
            if tries % len(self._servers) == 0:
                await asyncio.sleep(self._pauses.take())

    def _make_connection(self) -> NatsConnection:
        return NatsConnection(
            self._options,
            hear=self._inbox.hear,
            ended=self._note_ended,
            told=self._servers.learn,
            denied=self._note_denied,
        )

    async def _use(self, connection: NatsConnection) -> None:
        """Sends and listens until it breaks."""
        self._subscriptions.begin_anew()
        connection.subscribe(self._subscriptions.all)
        if not await connection.confirm():
            return
        self._note_up()
        tasks = (asyncio.create_task(self._send(connection)), asyncio.create_task(self._watch(connection)))
        try:
            await asyncio.wait((*tasks, connection.ended), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(result, Exception):
                    raise result

    async def _send(self, connection: NatsConnection) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting.can_be_taken and not (connection.ended.done() or self._is_leaving(connection)):
                if connection.is_behind and not await connection.confirm():
                    return
                self._write(connection, self._waiting.take(BATCH_BYTES))
                await connection.drain()
            if not len(self._waiting):
                self._idle.set()

    def _write(self, connection: NatsConnection, batch: list[tuple[str, bytes, int]]) -> None:
        fitting = [message for message in batch if len(message[1]) <= connection.most_bytes]
        if len(fitting) < len(batch):
            self._inbox.note_lost(
                sum(message[2] for message in batch) - sum(message[2] for message in fitting), "refused"
            )
        connection.publish(fitting)
        self._published += len(fitting)
        self._published_bytes += sum(len(message[1]) for message in fitting)

    async def _watch(self, connection: NatsConnection) -> None:
        """Has the server confirm what was sent, and notices when it is frozen, or about to stop."""
        asked = asked_again = time.monotonic()
        while True:
            await asyncio.sleep(CONFIRM_SECONDS)
            self._troubles.look()
            if self._subscriptions.refused and time.monotonic() - asked_again >= AGAIN_SECONDS:
                asked_again = time.monotonic()
                await self._ask_again(connection)
            is_leaving = self._is_leaving(connection)
            if is_leaving or connection.unconfirmed or time.monotonic() - asked >= PING_SECONDS:
                asked = time.monotonic()
                if not await connection.confirm():
                    return
            if is_leaving:
                connection.end("it is about to stop")

    def _is_leaving(self, connection: NatsConnection) -> bool:
        """Whether nothing more goes to this server, since it is about to stop and there is another."""
        return connection.is_stopping and len(self._servers) > 1

    async def _ask_again(self, connection: NatsConnection) -> None:
        connection.subscribe(self._subscriptions.ask_again())
        if await connection.confirm() and (allowed := self._subscriptions.end_refusals()):
            if not self._subscriptions.refused:
                self._troubles.end("it lets us subscribe again")
            self._inbox.note_cut(allowed)

    async def _send_rest(self) -> None:
        if self._connection is not None and self._connected.is_set():
            await self._idle.wait()
            await self._connection.confirm()

    async def _let_go(self) -> None:
        self._connected.clear()
        connection, self._connection = self._connection, None
        if connection is None:
            return
        self._most_bytes = connection.most_bytes
        if lost := connection.unconfirmed_events:
            self._inbox.note_lost(lost, "connection_broken")
        await connection.close()

    def _note_up(self) -> None:
        self._connects += 1
        self._trouble = ""
        self._connected.set()
        self._wake.set()
        self._troubles.end(f"connected to {write_server(self._place)}")
        if self._subscriptions.refused:
            self._troubles.tell("subscribe", self.trouble)
        if self._connects > 1:
            self._inbox.note_cut(None)

    def _note_ended(self, reason: str) -> None:
        """At once, so that nobody waits for an answer of it."""
        self._connected.clear()
        self._note_trouble(reason)

    def _note_trouble(self, reason: str) -> None:
        self._trouble = f"{write_server(self._place)}: {reason}"
        self._troubles.tell(reason, self._trouble)

    def _note_denied(self, verb: str, name: str, events: int) -> None:
        if verb == "publish":
            self._troubles.refuse(name_right(self.address.prefix, verb, name))
        else:
            self._subscriptions.refuse(name)
            if self._connected.is_set():
                self._troubles.tell(verb, self.trouble)
        self._inbox.note_lost(events, "refused")
