"""TLS through the event loop's transport, for a server that writes to descriptors: correct rather than fast.

The fan-out can't write to a TLS transport. So a connection behind TLS is served on one end of a socket pair, as if that
were the client, and a bridge carries bytes between the other end and the TLS transport. Each direction stands still
while the other side does not take its bytes, so queues behind the bridge fill as they do without it.
"""

import asyncio
import contextlib
import socket

from awxfast.http.open_bridges import RECEIVE_BYTES, TURN_BYTES, OpenBridges
from awxfast.system.unread_bytes import count_taken, count_unsent

SMALL_BYTES = 1_024
"""So many of a client are a command, and wait for nobody's flood: they have turns of their own."""
TURN_SMALL = 64
"""Clients that have so little, in a turn: at most, since together they have no more than the others."""
RECORD_BYTES = 16_384
"""As many may have been taken in before, of a record that was read in part (RFC 8446 section 5.1)."""
HINT_BYTES = 256
"""What a TLS transport adds to the size that it has in store."""
UNREAD_BYTES = 1
"""Encrypted, after which a TLS transport that is paused reads no more: it would drop them if it read the end."""
WRITE_BYTES = 65_536
"""Waiting in a TLS transport, past which nothing more is taken of the server: it is not in the fan-out's bounds there.

Half a MiB is what an event loop lets wait; each client that reads slowly costs as much.
"""
UNTAKEN_BYTES = 1_048_576
"""In a TLS transport, far more than `WRITE_BYTES`: they are its own answers to a client that takes none."""
DATA_PART = 16
"""One byte in so many is data, of whoever has something to say: a command alone in its record is more."""
BARE_BYTES = 65_536
"""Encrypted, and so many more than that: a client that sends them means no more than to be read."""
NO_TURN = memoryview(bytearray())
"""For a TLS transport that is to read later."""
END_SECONDS = 10.0
"""In which a client has to take something of what was written before the end; else it is cut off."""
ANY_SECONDS = 86_400.0
"""For a transport's own limit on its end, whether the client takes bytes or not."""
LINGER_SECONDS = 1.0
"""How long a server that has sent all may wait for the client's answer while the client waits for the end.

As long has a client that has all for its own end of TLS, for which nobody needs to wait (RFC 8446 section 6.1).
"""


class Bridges(OpenBridges):
    """Makes the bridge of each connection."""

    def __call__(self) -> "Bridge":
        """The protocol of a new TLS connection."""
        return Bridge(self)


class Bridge(asyncio.BufferedProtocol):
    """Carries one connection's bytes. `near` is its own end of the pair.

    TLS decrypts all that one read of the socket brought, thousands of records, so it is asked for its turn before.
    When its server has ended it is a plain connection of its own, which goes when somebody needs the descriptor.
    """

    weight = 1
    awaits_body = False

    def __init__(self, bridges: OpenBridges) -> None:
        self._bridges = bridges
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self.descriptor = -1
        self._near: socket.socket | None = None
        self._buffer = bridges.buffer
        self._has_turn = False
        self._bare = 0
        self._held = memoryview(b"")
        self._is_server_done = False
        self._linger: asyncio.TimerHandle | None = None
        self._serving: asyncio.Task[object] | None = None

    # What the TLS transport calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The handshake is done. Its client may have gone since."""
        sock = transport.get_extra_info("socket")
        if sock is None:
            transport.abort()
            return
        try:
            self._near, far = socket.socketpair()
        except OSError as error:
            self._bridges.report_turned_away(error)
            transport.abort()
            return
        self._transport = transport
        self.descriptor = sock.fileno()
        transport.set_write_buffer_limits(high=WRITE_BYTES)
        transport.set_read_buffer_limits(high=UNREAD_BYTES)  # type: ignore[attr-defined]  # TLS transports have it
        self._bridges.add(self)
        self._serve(transport, self._near, far)

    def _serve(self, transport: asyncio.Transport, near: socket.socket, far: socket.socket) -> None:
        near.setblocking(False)
        far.setblocking(False)
        self._loop.add_reader(near, self._receive_from_server)
        protocol = self._bridges.make_protocol(transport)
        self._serving = self._loop.create_task(self._loop.connect_accepted_socket(lambda: protocol, far))

    def get_buffer(self, sizehint: int) -> memoryview:
        """One for all, since what comes into it is taken at once; none while others have their turn."""
        if not self._takes_turn(sizehint - HINT_BYTES):
            return NO_TURN
        self._bare += sizehint - HINT_BYTES
        size = sizehint + RECORD_BYTES
        self._buffer = self._bridges.buffer if size <= RECEIVE_BYTES else memoryview(bytearray(size))
        return self._buffer

    def _takes_turn(self, amount: int) -> bool:
        transport, bridges = self._transport, self._bridges
        if transport is None:
            return False
        if self._bare > BARE_BYTES or transport.get_write_buffer_size() > UNTAKEN_BYTES:
            transport.pause_reading()
            self._loop.call_soon(bridges.plain.cut_off, self)
            return False
        turns = bridges.small_turns if amount <= SMALL_BYTES else bridges.turns
        share = max(amount, TURN_BYTES // TURN_SMALL)
        if self._has_turn or turns.take_at_once(share):
            self._has_turn = False
            return True
        transport.pause_reading()
        turns.call(share, self._begin_turn)
        return False

    def _begin_turn(self) -> None:
        self._has_turn = True
        self._read_on()

    def buffer_updated(self, nbytes: int) -> None:
        """From the client; what comes after the server's end is dropped."""
        data, self._buffer = self._buffer[:nbytes], self._bridges.buffer
        self._bare = max(0, self._bare - DATA_PART * nbytes)
        if self._held:
            self._held = memoryview(b"".join((self._held, data)))
        elif self._near is not None:
            self._send_to_server(data)

    def _read_on(self) -> None:
        if not self._held and self._transport is not None:
            self._transport.resume_reading()

    def eof_received(self) -> None:
        """The client sends no more; a TLS transport closes then."""
        self._watch_end(None, 0)

    def pause_writing(self) -> None:
        """The client takes nothing more at present."""
        if self._near is not None and not self._is_server_done:
            self._loop.remove_reader(self._near)

    def resume_writing(self) -> None:
        """The other side takes bytes again."""
        if self._near is not None and not self._is_server_done:
            self._loop.add_reader(self._near, self._receive_from_server)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone. What it sent before is still the server's to read; writing to it fails from now on."""
        self._transport = None
        self._bridges.remove(self)
        self._bridges.plain.leave(self)
        if self._near is not None and self._held:
            self._loop.remove_reader(self._near)
            with contextlib.suppress(OSError):
                self._near.shutdown(socket.SHUT_RD)
        else:
            self._close_near()

    # What the server's end brings

    def _receive_from_server(self) -> None:
        assert self._near is not None and self._transport is not None
        try:
            data = self._near.recv(RECEIVE_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if data:
            self._transport.write(data)
        else:
            self._await_hang_up()

    def _await_hang_up(self) -> None:
        """The server has sent all, but may wait for the client's answer to a CLOSE, which an end here would cut off.

        TLS has no half-closed connection that an event loop would know of, so the client does not learn of this; what
        is waited for is the server's whole end.
        """
        assert self._near is not None
        self._is_server_done = True
        self._loop.remove_reader(self._near)
        self._linger = self._loop.call_later(LINGER_SECONDS, self._end_linger)
        try:
            self._bridges.watch(self._near, self._end)
        except OSError:
            self._end()  # no descriptor is left: somebody else needs this one's

    def _end_linger(self) -> None:
        """A client that reads nothing waits for nothing."""
        if self._transport is None:
            return
        if self._transport.get_write_buffer_size():
            self._linger = self._loop.call_later(LINGER_SECONDS, self._end_linger)
        else:
            self._end()

    def _end(self) -> None:
        """What was written goes out before the transport closes."""
        self._close_near()
        if self._transport is not None:
            self._bridges.plain.wait(self)
            self._transport.close()
            self._watch_end(None, 0)

    def _watch_end(self, former: int | None, still: float) -> None:
        """A client has the time that it needs, as long as it takes bytes: the transport's own limit is none of that.

        `former` is what it had taken a moment ago, `still` for how many seconds it has taken none.
        """
        sock = self._transport.get_extra_info("socket") if self._transport is not None else None
        if self._transport is None or sock is None:
            return
        taken = count_taken(sock)
        still = still if taken == former else 0
        has_more = self._transport.get_write_buffer_size() or count_unsent(sock)
        if still >= (END_SECONDS if has_more else LINGER_SECONDS):
            self._transport.abort()
        else:
            self._loop.call_later(LINGER_SECONDS, self._watch_end, taken, still + LINGER_SECONDS)

    # As a plain connection, when its server has ended

    @property
    def is_taken(self) -> bool:
        """Whether the kernel has all that was written."""
        return self._transport is None or not self._transport.get_write_buffer_size()

    def end_idle(self) -> None:
        """Somebody else needs the descriptor."""
        if self._transport is not None:
            self._transport.abort()

    # What goes to it

    def _send_to_server(self, data: memoryview) -> None:
        assert self._near is not None
        try:
            sent = self._near.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            sent = len(data)  # the server is gone, and will say so on the other way
        self._hold(memoryview(bytes(data[sent:])))

    def _hold(self, rest: memoryview) -> None:
        """What the server does not take yet."""
        assert self._near is not None
        if rest and not self._held:
            self._loop.add_writer(self._near, self._send_held)
            if self._transport is not None:
                self._transport.pause_reading()
        elif self._held and not rest:
            self._loop.remove_writer(self._near)
            self._loop.call_soon(self._read_on)
        self._held = rest

    def _send_held(self) -> None:
        self._send_to_server(self._held)
        if self._transport is None and not self._held:
            self._close_near()

    def _close_near(self) -> None:
        near, self._near = self._near, None
        self._held = memoryview(b"")
        if self._linger is not None:
            self._linger.cancel()
        if near is None:
            return
        self._loop.remove_reader(near)
        self._loop.remove_writer(near)
        self._bridges.forget(near)
        near.close()
