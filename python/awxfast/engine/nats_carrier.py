"""Core NATS as a carrier: one subject a channel, and the cluster itself knows who wants which."""

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import Collection
from functools import partial

from awxfast.engine.address import EngineAddress, HostPort, write_server
from awxfast.engine.carrier import CarrierFigures, Listener
from awxfast.engine.endings import end_tasks
from awxfast.engine.nats_channels import NatsChannels
from awxfast.engine.nats_connection import NatsConnection, NatsConnectionFailed
from awxfast.engine.nats_connector import NatsConnector
from awxfast.engine.nats_failures import names_limit
from awxfast.engine.nats_inbox import NatsInbox
from awxfast.engine.nats_sender import NatsSender
from awxfast.engine.nats_subscriptions import NatsSubscriptions, name_right
from awxfast.engine.troubles import Troubles
from awxfast.errors import ConfigurationError, describe_unexpected
from awxfast.printable import escape

log = logging.getLogger(__name__)

CONFIRM_SECONDS = 0.2
"""Between confirmations while messages are sent: so much is uncertain when a connection breaks."""
PING_SECONDS = 1.0
"""Between pings while nothing is sent: a server that freezes is noticed so much and a pong's time later."""
STOP_SECONDS = 1.0
SUBJECT = re.compile(r"[\w~-]+(\.[\w~-]+)*", re.ASCII)
AGAIN_SECONDS = 5.0
"""Between tries to subscribe to what is refused: of rights that come back a server says nothing."""


class NatsCarrier:
    """A `Carrier` with one connection, to whichever server of the cluster answers."""

    def __init__(self, address: EngineAddress) -> None:
        """Raises `ConfigurationError` for options that can't be obeyed."""
        self.address = address
        self.names = NatsChannels(address.prefix)
        self._troubles = Troubles(log, address)
        self._subscriptions = NatsSubscriptions()
        self._inbox = NatsInbox(self._subscriptions)
        self._sender = NatsSender(self._inbox.note_lost, self._note_too_small)
        make = partial(NatsConnection, hear=self._inbox.hear, ended=self._note_ended, denied=self._note_denied)
        self._connector = NatsConnector(address, make, self._note_failed)
        self._connection: NatsConnection | None = None
        self._connected = asyncio.Event()
        self._most_bytes = 1_048_576
        self._trouble = "not connected yet"
        self._is_refused = False
        self._connects = 0
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
        return self._connector.place

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
        self._sender.waiting.drop_all("stopped")

    def publish(self, channel: str, message: bytes, events: int) -> None:
        """Queues a message; what is queued in one turn of the loop goes out together."""
        if SUBJECT.fullmatch(channel):
            self._sender.put(channel, message, events)
        else:
            self._inbox.note_lost(events, "refused")

    def hold(self, but: str) -> None:
        """Messages wait from now on, until `release` or `stop`; not those of this channel."""
        self._sender.waiting.hold(but)

    def release(self) -> None:
        """What is held goes out, in order."""
        self._sender.release()

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
            else:
                await asyncio.sleep(CONFIRM_SECONDS)

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
            published=self._sender.published,
            published_bytes=self._sender.published_bytes,
            received=self._inbox.received,
            received_bytes=self._inbox.received_bytes,
            queued=len(self._sender.waiting),
            queued_bytes=self._sender.waiting.bytes,
            subscribed=len(self._subscriptions),
        )

    async def _keep_connected(self) -> None:
        while True:
            try:
                self._connection = await self._connector.connect()
                await self._use(self._connection)
            except Exception as error:
                self._note_trouble(describe_unexpected(error))
            finally:
                await self._let_go()

    async def _use(self, connection: NatsConnection) -> None:
        """Sends and listens until it breaks."""
        self._subscriptions.begin_anew()
        connection.subscribe(self._subscriptions.all)
        if not await connection.confirm():
            return
        self._note_up()
        sending = self._sender.send(connection, self._connector.is_leaving)
        tasks = (asyncio.create_task(sending), asyncio.create_task(self._watch(connection)))
        try:
            await asyncio.wait((*tasks, connection.ended), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(result, Exception):
                    raise result

    async def _watch(self, connection: NatsConnection) -> None:
        """Has the server confirm what was sent, and notices when it is frozen, or about to stop."""
        asked = asked_again = time.monotonic()
        while True:
            await asyncio.sleep(CONFIRM_SECONDS)
            self._troubles.look()
            if self._subscriptions.refused and time.monotonic() - asked_again >= AGAIN_SECONDS:
                asked_again = time.monotonic()
                await self._ask_again(connection)
            is_leaving = self._connector.is_leaving(connection)
            if is_leaving or connection.unconfirmed or time.monotonic() - asked >= PING_SECONDS:
                asked = time.monotonic()
                if not await connection.confirm():
                    return
            if is_leaving:
                connection.end("it is about to stop")

    async def _ask_again(self, connection: NatsConnection) -> None:
        connection.subscribe(self._subscriptions.ask_again())
        if await connection.confirm() and (allowed := self._subscriptions.end_refusals()):
            if not self._subscriptions.refused:
                self._troubles.end("it lets us subscribe again")
            self._inbox.note_cut(allowed)

    async def _send_rest(self) -> None:
        if self._connection is not None and self._connected.is_set():
            await self._sender.idle.wait()
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
        self._troubles.end(f"connected to {write_server(self.server)}{self.address.said_prefix}")
        self._tell_refused()
        if self._connects > 1:
            self._inbox.note_cut(None)

    def _note_failed(self, error: NatsConnectionFailed | ConfigurationError) -> None:
        self._is_refused = isinstance(error, ConfigurationError)
        self._note_trouble(str(error))

    def _note_ended(self, reason: str) -> None:
        """At once, so that nobody waits for an answer of it."""
        self._connected.clear()
        self._is_refused = names_limit(reason)
        self._note_trouble(reason)

    def _note_trouble(self, reason: str) -> None:
        self._trouble = f"{write_server(self.server)}: {reason}"
        self._troubles.tell(reason, self._trouble)

    def _note_denied(self, verb: str, name: str, events: int) -> None:
        if verb == "publish":
            self._troubles.refuse(name_right(self.address.prefix, verb, name))
            self._inbox.note_lost(events, "refused")
        else:
            self._subscriptions.refuse(name)
            self._tell_refused()

    def _note_too_small(self, most_bytes: int) -> None:
        self._troubles.refuse(f"its max_payload of {most_bytes} bytes is too small for what nodes say of themselves")

    def _tell_refused(self) -> None:
        if self._connected.is_set() and self._subscriptions.refused:
            self._troubles.tell("subscribe", self.trouble)
