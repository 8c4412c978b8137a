"""All websockets of the process: found by the fan-out's number, told its news, closed together."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping

from awxfast._rust import NEWS_CAUGHT_UP, Fanout, FrameDecoder, LinkFigures, UnservedBytes
from awxfast.http.access_log import AccessLog
from awxfast.http.plain_connections import QUIET_SECONDS
from awxfast.quiet_log import QuietLog
from awxfast.settings import Settings
from awxfast.sockets.connection import OPEN, Connection
from awxfast.sockets.reading import TURN_STREAMS
from awxfast.sockets.writing import NOT_ATTACHED
from awxfast.turns import Turns
from awxfast.wire import close_codes
from awxfast.wire.close_codes import RESTARTING

log = logging.getLogger(__name__)

UNSERVED_PART = 4
"""What browsers have sent and nobody has served is at most one in so many of `--queue-memory`, all of it together."""
ROOM_PART = 8
"""Past it, one in so many of that is given up at once: who is to go is not looked for with every byte."""
TOO_MUCH = b"too much is sent that is not served yet"

BOUNDS_OF_BROWSERS = {
    b"too many groups": "--max-groups",
    b"message too big": "--websocket-max-message-size",
    b"frame too big": "--websocket-max-frame-size",
    TOO_MUCH: "--queue-memory",
}
"""The option behind a reason to close."""

TURN_MESSAGES = 16
"""Of one browser, in a turn of the loop: a hundred may send commands without end, and others wait for each of them."""
TURN_NEWS = 128
"""Pieces of news in a turn of the loop: thousands of clients may be lost at once."""

DISMISSED = 128
"""Who was told to go may take as long as all others over it, but no more than so many, and an eighth of all, do."""


class Clients:
    """What connections share. `closes` counts ends as `{(by, code): n}`: by server or peer, 1006 for a lost socket.

    Codes that a browser or an application made up are one, `other`: each would be a time series for ever.
    """

    is_node = False
    figures: LinkFigures | None = None

    def __init__(
        self,
        fanout: Fanout,
        settings: Settings,
        access_log: AccessLog | None = None,
        now: Callable[[], float] = time.monotonic,
        tell_caught_up: Callable[[], None] = lambda: None,
    ) -> None:
        self.fanout = fanout
        self._tell_caught_up = tell_caught_up
        self.tell_change: Callable[[], None] = lambda: None
        """Is called when there are more or fewer, or are about to be."""
        self.now = now
        self.turns, self.turns_of_nodes = Turns(TURN_STREAMS), Turns(TURN_STREAMS)
        self.close_timeout = settings.close_timeout
        self.closes: dict[tuple[str, int | str], int] = {}
        self.nodes = 0
        """How many of the websockets are other nodes'."""
        self._limits = (settings.websocket_max_message_size, settings.websocket_max_frame_size)
        most = max(settings.queue_memory // UNSERVED_PART, settings.websocket_max_message_size)
        self._unserved = UnservedBytes(most)
        self.faults: dict[str, int] = {}
        """Peers that were closed for what they did wrong, by reason."""
        self._access_log = access_log
        self._opening: set[Connection] = set()
        self._attached: dict[int, Connection] = {}
        self._dismissed: dict[Connection, None] = {}
        self.dues: dict[Connection, float] = {}
        """When those are to be closed whose TLS another process carries: it ends."""
        self._most_dismissed = min(DISMISSED, max(8, (settings.max_clients or 8 * DISMISSED) // 8))
        self._emptied = asyncio.Event()
        self._faults = QuietLog(log, now)
        self._turned_away = QuietLog(log, now, QUIET_SECONDS)

    def __len__(self) -> int:
        return len(self._opening) + len(self._attached)

    def __iter__(self) -> Iterator[Connection]:
        return iter([*self._opening, *self._attached.values()])

    @property
    def browsers(self) -> int:
        """Websockets that are not other nodes'."""
        return len(self) - self.nodes

    @property
    def guests(self) -> int:
        """Browsers that were not told at once to go again: those count under `--max-clients`."""
        return self.browsers - len(self._dismissed)

    def attach(self, descriptor: int, *, greeted: bool) -> int:
        """A browser, for the fan-out."""
        return self.fanout.attach(descriptor, greeted)

    def freeze(self) -> None:
        """A browser's place in another process needs no more than its connection tells."""

    def make_decoder(self, *, as_str: bool) -> FrameDecoder:
        """For what a browser sends; `as_str`: its texts are `str`."""
        return FrameDecoder(*self._limits, TURN_MESSAGES, self._unserved, as_str)

    @property
    def unserved(self) -> int:
        """Bytes that browsers have sent and nobody has served: messages without an end, and what waits."""
        return self._unserved.bytes

    def make_room(self) -> None:
        """Closes those who have sent the most that is not served, until all together have sent what they may."""
        left = self._unserved.bytes - (self._unserved.most - self._unserved.most // ROOM_PART)
        going = [connection.unserved for connection in self._attached.values() if connection.phase is not OPEN]
        left -= sum(going)
        staying = [one for one in self._attached.values() if one.phase is OPEN and not one.is_node]
        for connection in sorted(staying, key=lambda one: one.unserved, reverse=True):
            if left <= 0:
                break
            left -= connection.unserved
            connection.close(close_codes.POLICY, TOO_MUCH, drop=True)

    def count_close(self, by: str, code: int) -> None:
        """Counts the end of one websocket."""
        kind = by, code if code in close_codes.COUNTED else "other"
        self.closes[kind] = self.closes.get(kind, 0) + 1

    def report_fault(
        self, peer: str, code: int, reason: bytes, options: Mapping[bytes, str] = BOUNDS_OF_BROWSERS
    ) -> None:
        """A peer that did wrong is closed; `options` has the bounds that it may have overstepped."""
        self.faults[reason.decode()] = self.faults.get(reason.decode(), 0) + 1
        option = f" ({options[reason]})" if reason in options else ""
        self._faults.warn(f"{code} {reason!r}", f"closed {peer} with {code}: {reason.decode()}{option}")

    def report_turned_away(self, error: OSError) -> None:
        """A connection can't be attached: all descriptors are in use, and it is so for many at once."""
        self._turned_away.warn("attach", f"a client is turned away, it can't be attached: {error.strerror or error}")

    def add_opening(self, connection: Connection) -> None:
        """A connection whose 101 is not out yet."""
        self._opening.add(connection)
        self._emptied.clear()
        self.tell_change()

    def add(self, connection: Connection) -> None:
        """It has its number now."""
        self._opening.discard(connection)
        self._attached[connection.client] = connection
        self._log(connection, "WSCONNECT")

    def add_inherited(self, connection: Connection, due: float | None) -> None:
        """One of another process: it is attached already, and stands in the log. `due`: see `dues`."""
        if due is not None:
            self.dues[connection] = due
        self._attached[connection.client] = connection
        self._emptied.clear()

    def list_dues(self, begin: float, spread: float) -> dict[Connection, float]:
        """When to close whom if this process carries their TLS on: from `begin` on; others have their time already."""
        carried = [connection for connection in self if connection.is_carried]
        own = {connection: begin + spread * number / len(carried) for number, connection in enumerate(carried)}
        return {**own, **self.dues}

    def close_due(self) -> Iterator[bool]:
        """Closes those whose time has come."""
        now = self.now()
        for connection, due in list(self.dues.items()):
            is_due = due <= now and self.dues.pop(connection, None) is not None
            if is_due:
                connection.leave(RESTARTING)
            yield is_due

    @property
    def are_opening(self) -> bool:
        """Whether there are some whose 101 is not out yet."""
        return bool(self._opening)

    def dismiss(self, connection: Connection) -> None:
        """Nobody knows it: it goes at once where there are many like it."""
        self._dismissed[connection] = None
        self.tell_change()
        if len(self._dismissed) > self._most_dismissed:
            oldest = next(iter(self._dismissed))
            del self._dismissed[oldest]
            oldest.cut_off()

    def remove(self, connection: Connection) -> None:
        """Forgets a connection that is gone. As in daphne it has a last line, were it gone before its 101 was out."""
        self._dismissed.pop(connection, None)
        self.dues.pop(connection, None)
        self._opening.discard(connection)
        if connection.client != NOT_ATTACHED:
            self._attached.pop(connection.client, None)
        self._log(connection, "WSDISCONNECT")
        self.tell_change()
        if not len(self):
            self._emptied.set()

    def _log(self, connection: Connection, action: str) -> None:
        if self._access_log is not None and connection.label is not None:
            client, path = connection.label
            self._access_log.write(client, f"{action} {path}")

    def dispatch_news(self) -> None:
        """Hands some of the fan-out's news to their connections; that of clients that are gone is dropped."""
        for client, news in self.fanout.take_news(TURN_NEWS):
            connection = self._attached.get(client)
            if connection is not None:
                connection.receive_news(news)
            elif news == NEWS_CAUGHT_UP:
                self._tell_caught_up()

    async def close_all(self, code: int, spread: float, grace: float) -> None:
        """Closes all, spread evenly over `spread` seconds; who is still there `grace` seconds later is cut off."""
        connections = list(self)
        begin = self.now()
        for number, connection in enumerate(connections):
            wait = begin + spread * number / len(connections) - self.now()
            if wait > 0:
                await asyncio.sleep(wait)
            connection.close(code)
        if not await self._wait_until_empty(grace):
            log.warning("%d clients did not close in time and are cut off", len(self))
            for connection in self:
                connection.cut_off()
            await self._wait_until_empty(1.0)

    async def _wait_until_empty(self, seconds: float) -> bool:
        """Whether nobody is left; waits for it at most so long."""
        if len(self):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._emptied.wait(), seconds)
        return not len(self)
