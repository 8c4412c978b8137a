"""The Rust extension: what it offers to Python.

Few, large calls: once a batch or once a message, never once a socket. Nothing here blocks on a peer.
"""

import asyncio
from collections.abc import Callable, Sequence, Set
from typing import Any, Final, final

__version__: Final[str]

# ---- the node secret (rust/src/hmac.rs, nonce.rs) -----------------------------------------------

def sign_secret(secret: str, nonce: int) -> str:
    """The value of the `secret` header as AWX sends it: `HMAC-SHA256 <nonce>:<hexdigest>`."""

@final
class SecretVerifier:
    """Checks `secret` headers: digest in constant time, nonce within a window, repeats remembered.

    `secrets` are accepted in any order (rotation); an empty list or an empty secret accepts nobody.
    `tolerance` is in seconds, both ways, inclusive. At most `remember` headers are kept for the repeats.
    """

    def __init__(self, secrets: Sequence[str], tolerance: int = 300, remember: int = 65536) -> None: ...
    def accept_secrets(self, secrets: Sequence[str]) -> None:
        """Others from now on; repeats stay remembered."""
    def remember(self, header: bytes, steady: int) -> None:
        """A header that was accepted before, by somebody else: one like it is a repeat."""
    def freeze(self) -> bytes:
        """The headers that are remembered, for another process. They are as good as the secret while they are fresh."""
    def inherit(self, frozen: bytes) -> None:
        """Remembers what `freeze` gave there."""
    def verify(self, header: bytes, now: int, steady: int | None = None) -> tuple[str, int, int, bool]:
        """`(verdict, secret_index, skew, repeated)` for a header as received, at `now` (Unix seconds).

        `steady`: seconds on a clock that only goes forward, by which repeats are forgotten; else `now` is.

        `verdict` is `"ok"`, or why not, for the log alone: `"malformed"`, `"digest"`, `"nonce"`.
        `secret_index` is -1 unless the digest fits; `skew` is `nonce - now` in seconds, 0 unless the digest fits.
        `repeated` tells that this very header was seen before within the window (only set with `"ok"`).
        """

# ---- entries of the channel layer (rust/src/wire/entry_format.rs, fernet.rs) ------------------------------

@final
class EntryFormat:
    """What both ends of a channel layer agree on. Whoever reads or writes entries shares it; it prints no key."""

    def __init__(
        self,
        *,
        prefix_length: int = 12,
        serializer: str = "msgpack",
        keys: Sequence[bytes] = (),
        ttl: int | None = None,
    ) -> None:
        """`prefix_length`: random bytes before an entry. `serializer`: `msgpack` or `json`.

        `keys`: texts as in `symmetric_encryption_keys`; the first encrypts, each is tried to decrypt; none: nothing is
        encrypted. `ttl`: seconds that encrypted entries last; None: for ever.
        """
    def accept_keys(self, keys: Sequence[bytes]) -> None:
        """From now on these count, wherever this format is used."""
    @property
    def is_encrypted(self) -> bool:
        """Whether there are keys."""
    @property
    def serializer(self) -> str: ...
    def refused(self) -> dict[str, int]:
        """How many entries could not be decrypted: `no_token`, `wrong_key`, `too_old`, `too_early`."""
    def open(self, entry: bytes, now: int | None = None) -> bytes:
        """What the serializer wrote; `now` in Unix seconds. Raises `ValueError` with the reason's name."""
    def seal(self, body: bytes) -> bytes:
        """An entry of what the serializer wrote. Raises `OSError` where the kernel has no random bytes."""

# ---- bytes (rust/src/wire/envelope.rs, frame.rs) ------------------------------------------------------

def decode_envelope(entry: bytes, entry_format: EntryFormat | None = None) -> tuple[str, bytes, list[str], bool]:
    """`(type, text, channels, needs_relay)` of one queue entry; raises `ValueError` with the reason's name.

    For tests and tools; events are decoded inside `Fanout.publish_batch`.
    """

def encode_text_frame(payload: bytes) -> bytes:
    """A whole unmasked, unfragmented text frame (RFC 6455 section 5.2), as the fan-out writes it."""

@final
class UnservedBytes:
    """What clients have sent and nobody has served, of all whose decoders share this: at most `most` is to be."""

    def __init__(self, most: int) -> None: ...
    @property
    def bytes(self) -> int:
        """Memory of messages without an end, and what was read and not decoded."""
    @property
    def most(self) -> int:
        """The bound."""

@final
class FrameDecoder:
    """What a client sends, RFC 6455 section 5: bytes in, whole messages out. Never raises for bad input.

    Limits are in bytes, exactly the limit is allowed, 0 means none; a message has at most 1,024 fragments. Messages are
    (opcode, payload): 1 text (UTF-8 checked), 2 binary, 8 close (code checked; payload as received).
    """

    def __init__(
        self,
        max_message_size: int,
        max_frame_size: int,
        turn_messages: int = 64,
        all: UnservedBytes | None = None,
        as_str: bool = False,
    ) -> None:
        """`all` counts what it holds together with others. `as_str`: texts are `str`, not UTF-8."""
    def receive(self, data: bytes) -> list[tuple[int, Any]]:
        """The messages that `data` completes, in order: `turn_messages` at most, of 4,096 frames at most.

        The rest is kept: `receive(b"")` goes on with it. After a failure or a close: always empty.
        """
    def take_pongs(self) -> bytes:
        """The answers to PINGs that were received, as frames: 64 at most, the newest for certain. Often empty."""
    def expect_close(self) -> None:
        """From now on nothing but a close is looked for: neither messages nor PINGs."""
    def freeze(self) -> tuple[bytes, bytes]:
        """What is held of a message, and what the last call left, for another process's decoder. Often both empty."""
    def thaw(self, state: bytes, unread: bytes) -> None:
        """Goes on where the other one stopped. Raises `ValueError` for a state that is none."""
    @property
    def held(self) -> int:
        """Bytes of memory: of a message without its end, and of what the last call left."""
    @property
    def has_only_messages(self) -> bool:
        """Whether nothing else is to be looked at: no PONGs, nothing left, no failure, not too much held."""
    @property
    def is_too_much(self) -> bool:
        """Whether all that share a count hold more than they may."""
    @property
    def has_unread(self) -> bool:
        """Whether the last call left something for the next one."""
    @property
    def failure(self) -> int:
        """0, or the close code that the connection must be failed with: 1002, 1007 or 1009."""
    @property
    def failure_reason(self) -> str:
        """One lower-case phrase for the log and the counter, e.g. `unmasked frame`; empty without a failure."""

# ---- connections (rust/src/front.rs) ------------------------------------------------------------------

@final
class Front:
    """Connections of one event loop: accepted in batches, and read when they have something.

    The loop watches its descriptor, and calls `turn` when that is readable. All of it is for the loop's own thread.
    """

    def __init__(self, event_loop: asyncio.AbstractEventLoop) -> None: ...
    def fileno(self) -> int:
        """Readable when any socket has something."""
    def listen(
        self,
        fd: int,
        make_protocol: Callable[[], asyncio.BaseProtocol],
        open_at_once: Callable[[SocketTransport, RequestHead, bytes, bytes], bool] | None = None,
        max_head: int = 0,
        balance: Balance | None = None,
    ) -> int:
        """Accepts on a duplicate of a listening socket; the listener's number. Raises `OSError`.

        `balance`, where other processes accept there, too: asked before each, and told of each that was accepted.

        A protocol hears of its connection and of what was sent already in one turn. Where a client's first bytes are a
        sound upgrade to websocket without subprotocols, `open_at_once` is asked before any protocol: with the head, the
        answer to its key, and what came behind it. If it says yes the connection is its affair, its protocol too.
        """
    def adopt(self, fd: int, protocol: asyncio.BaseProtocol, *, is_plain: bool = False) -> None:
        """Reads and writes on a duplicate of a connected socket, for `protocol`. Raises `OSError`.

        `is_plain`: it is no websocket, so that those come first.
        """
    def listen_again(self, number: int) -> None:
        """After a rest, for want of descriptors or for another process: the front's own call."""
    def end_listening(self, number: int) -> None:
        """Accepts there no more."""
    def turn(self) -> None:
        """Takes in some newcomers of each listener, reads once from each socket that has something, and writes."""
    def flush(self) -> None:
        """Writes what was queued outside of a turn: the front's own call."""
    def close(self) -> None:
        """Closes everything without a word to any protocol: the loop is at its end."""

@final
class Balance:
    """Which of several processes accepts the next connection of a socket that all of them listen on.

    `descriptor` is that of their table (`system/shares`), `number` this process's row there. Raises `OSError` for what
    is no table, `ValueError` without that row. All of it is for the loop's own thread.
    """

    def __init__(self, descriptor: int, number: int) -> None: ...
    def begin(self, measure: Callable[[], tuple[int, int]]) -> None:
        """It listens from now on. `measure` tells what is published: how many websockets, how much load."""
    def end(self) -> None:
        """It listens no more, and publishes nothing."""
    def publish(self) -> None:
        """Asks `measure`, whose errors it raises, and tells the others."""
    def look(self) -> None:
        """Tells the others that this process runs, and no more: who is busy for long is not taken for one held up."""
    def wait_time(self) -> float:
        """Seconds that others have for the connection that is next; 0: it is to be accepted here."""
    def note_accepted(self) -> None:
        """One was accepted here: it counts until `publish` knows better."""
    def note_nobody(self) -> None:
        """Nobody waits any more at the end of a `wait_time`."""

@final
class SocketTransport:
    """What a protocol has of a connection: as `asyncio.Transport`, and as its socket to look at."""

    def write(self, data: bytes) -> None:
        """Leaves at the end of the turn, with what else is written in it; at once past the limit."""
    def write_at_once(self, data: bytes) -> bool:
        """Behind what waits; whether the socket has taken all of it. The rest leaves when there is room."""
    def write_eof(self) -> None:
        """Half a close, behind what is queued."""
    def close(self) -> None:
        """When all is written."""
    def abort(self) -> None:
        """At once."""
    def is_closing(self) -> bool:
        """Whether its end has begun."""
    def is_reading(self) -> bool:
        """Whether it is read."""
    def pause_reading(self) -> None:
        """What comes waits in the kernel."""
    def resume_reading(self) -> None:
        """It is read again."""
    def get_write_buffer_size(self) -> int:
        """Bytes that the socket has not taken."""
    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """When the protocol is told to pause, and to go on."""
    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Who is told from now on: the connection is a websocket's, and comes before those that are not."""
    def get_protocol(self) -> asyncio.BaseProtocol | None:
        """Who is told; None at the end."""
    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """`peername` and `sockname`, None for a unix socket; `socket` is this itself."""
    def fileno(self) -> int:
        """The descriptor, for the duration of a call; -1 at the end."""
    @property
    def family(self) -> int:
        """AF_UNIX, or one of TCP's."""
    def getsockopt(self, level: int, option: int, size: int) -> bytes:
        """As many bytes of an option."""

# ---- requests (rust/src/wire/http1.rs) --------------------------------------------------------------

@final
class RequestReader:
    """A connection's requests, RFC 9112: bytes in, events out, however the bytes are split. Never raises for bad input.

    Limits are exact and in bytes: `max_head` of a request line with its headers, `max_chunk_line` of the line before a
    chunk, `max_trailers` of what may follow the last one. `max_fields` is in lines.
    """

    def __init__(
        self, max_head: int, *, max_fields: int = 500, max_chunk_line: int = 4096, max_trailers: int = 16_384
    ) -> None: ...
    def receive(self, data: bytes) -> list[RequestHead | bytes | RequestRefusal | None]:
        """What `data` tells of one request: its head, a part of its body, None where it ends; or a refusal.

        It goes no further than the end of one request; `receive(b"")` goes on when there is room for the next. After a
        refusal, or behind a request without keep-alive: nothing, ever.
        """
    def take_unread(self) -> bytes:
        """What came behind the end of a request, for whoever takes the connection over."""
    @property
    def unread(self) -> int:
        """How many bytes that is; the socket is not to be read meanwhile."""
    def discard(self) -> None:
        """Forgets all that is kept, and reads nothing any more."""
    @property
    def held(self) -> int:
        """Bytes of memory of what is kept: a head that is not whole, and what came behind the end of a request."""
    @property
    def head_size(self) -> int:
        """Bytes of the head that is not whole yet; 0: none has begun."""
    @property
    def is_between(self) -> bool:
        """Whether no request is being read, so that the client may leave without a word."""

@final
class RequestHead:
    """One request, up to its body."""

    @property
    def method(self) -> str:
        """As sent: `get` is not `GET`. Never `CONNECT`."""
    @property
    def version(self) -> str:
        """`1.0` or `1.1`."""
    @property
    def target(self) -> bytes:
        """As sent."""
    @property
    def path(self) -> str:
        """Percent-decoded; what is no UTF-8 is replaced. `*` of `OPTIONS *`."""
    @property
    def raw_path(self) -> bytes:
        """As sent, without the query and the `http://host` of a whole URI."""
    @property
    def query(self) -> bytes:
        """As sent, without the question mark."""
    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Names in lower case, values without blanks around them; made once, the caller's own to change.

        Names with `_` are left out, and the host of a whole URI stands in place of `host`'s (RFC 9112 section 3.2.2).
        """
    def values(self, name: bytes) -> list[bytes]:
        """The values of all lines with this name, which is in lower case."""
    @property
    def memory(self) -> int:
        """Bytes that it takes, together with `headers`."""
    @property
    def content_length(self) -> int | None:
        """Of the body, 0 without one; None: it comes in chunks."""
    @property
    def keeps_alive(self) -> bool:
        """Whether the client wants another request on this connection (RFC 9112 section 9.3)."""
    @property
    def expects_continue(self) -> bool:
        """Whether the client waits for a 100 before it sends the body."""
    @property
    def offers_websocket(self) -> bool:
        """Whether an upgrade to websocket is offered, by whatever method. With GET there is no body then."""

@final
class RequestRefusal:
    """Why nothing more is read of a connection."""

    @property
    def status(self) -> int:
        """400, 431 or 505."""
    @property
    def reason(self) -> str:
        """One lower-case phrase for the log, e.g. `bare line feed`."""

# ---- from a Redis that publishes (rust/src/wire/push.rs) ---------------------------------------------------

@final
class PushReader:
    """Reads what comes over a connection that has subscribed, in RESP2.

    `limit`: bytes of one reply. `groups`, `channels`: what the names begin with under which Redis has groups, and
    channels of this process; what is published elsewhere is dropped.
    """

    def __init__(self, limit: int, groups: str, channels: str) -> None: ...
    def feed(self, data: bytes) -> tuple[list[tuple[bool, bytes, bytes]], list[bytes | str]]:
        """What is whole: messages as `(is_group, name, message)`, and answers: a command in small letters, or an error.

        `name` is what follows `groups` or `channels`. Raises `ValueError` for what is out of protocol, or too long.
        """
    def rest(self) -> bytes:
        """What has come of a reply that is not whole."""

# ---- how far Redis' replies have come (rust/src/wire/replies.rs) -------------------------------------------

@final
class ReplyBounds:
    """Looks at what comes over one connection, in RESP2, before anything is made of it; bounds are of one reply."""

    def __init__(self, most_bytes: int, most_elements: int) -> None: ...
    @property
    def elements(self) -> int:
        """How many elements the lists of a reply have that is not whole."""
    def look(self, data: bytes) -> int:
        """How many bytes have come of a reply that is not whole; 0: all are.

        Raises `ValueError` for what is out of protocol, `OverflowError` for what goes beyond a bound or announces to.
        """

# ---- to other nodes (rust/src/links/encoder.rs) ------------------------------------------------------------

@final
class LinkEncoder:
    """Queue entries as masked client frames of the relay era, encoded once for all links, or as texts for an engine.

    `entry_format`: how entries are written. `max_frame`: bytes of the longest text that peers take.
    """

    def __init__(self, entry_format: EntryFormat | None = None, max_frame: int = 4_194_304) -> None: ...
    def set_backplane(self, group: str) -> None:
        """What comes in `group` are copies of events of the broadcast era, for an engine alone; and notices."""
    def add_channel(self, local: str, group: str) -> None:
        """Entries for the channel whose part after `!` is `local` are events of `group`."""
    def remove_channel(self, local: str) -> None: ...
    def encode_batch(self, entries: Sequence[Any]) -> LinkBundle | None:
        """The frames of what has `needs_relay`, in order; None where nothing has.

        `entries` is what a pop gave. Bad entries are counted by reason, never raised.
        """
    def encode_pushed(self, messages: list[tuple[bool, bytes, bytes]]) -> LinkBundle | None:
        """The same of published messages (`PushReader.feed`); those for channels are nothing to other nodes."""
    def encode_texts(
        self, entries: Sequence[Any], most_bytes: int, with_frames: bool
    ) -> tuple[LinkBundle | None, list[tuple[str, int, bytes]]]:
        """The same for an engine: groups, each with how many texts it has and those as they stand in a packet.

        A group comes again where its texts are more than `most_bytes`; one text alone may be longer. The bundle is
        what `encode_batch` gives, None without `with_frames`.
        """
    def encode_pushed_texts(
        self, messages: list[tuple[bool, bytes, bytes]], most_bytes: int, with_frames: bool
    ) -> tuple[LinkBundle | None, list[tuple[str, int, bytes]]]:
        """The same of published messages."""
    def counts(self) -> dict[str, Any]:
        """Entries `received`, and what became of each: `encoded`, `not_for_relay`, `no_group`, `rejected` by reason."""

@final
class LinkBundle:
    """Frames of several groups, for whoever wants them (rust/src/links/share.rs)."""

    @property
    def groups(self) -> frozenset[str]:
        """Whose frames these are."""
    def share(self, groups: Set[str]) -> LinkShare:
        """What links get that want these of the groups; others mean nothing."""

@final
class LinkShare:
    """Frames for any number of links, in order."""

    @property
    def frames(self) -> int:
        """How many."""
    @property
    def size(self) -> int:
        """Their bytes."""
    @property
    def data(self) -> bytes:
        """The frames; copied out when somebody first asks."""
    def write(self, sockets: Sequence[int]) -> list[int]:
        """Writes to descriptors without waiting; how many bytes each took. 0 also where a socket failed."""

# ---- the fan-out (rust/src/fanout.rs and what it uses) -------------------------------------------

NEWS_DEAD: Final[int]
"""The socket failed (EPIPE, ECONNRESET, HUP); what was queued is lost at close."""
NEWS_FINISHED: Final[int]
"""A close that was asked for is on the wire, after all that was queued, and the sending side is shut down."""
NEWS_DRAINED: Final[int]
"""Answer to `ask_drained`: no reply of this client is waiting any more."""
NEWS_SLOW: Final[int]
"""Under `slow_client="close"`: the client passed its bound; a close with 4008 is on its way."""
NEWS_ROOM: Final[int]
"""Answer to `ask_room`: less waits for this client than its bound allows."""
NEWS_UNREAD: Final[int]
"""The client left more than `reply_bytes` of replies unread; a close with 1008 is on its way."""
NEWS_CAUGHT_UP: Final[int]
"""Of no client: what `wait_time` asked to wait for may be over."""

HANDOVER_FORMAT: Final[int]
"""The version of what `Fanout.freeze` writes."""

@final
class LinkFigures:
    """What was written to a node link; stays readable when the link is gone."""

    def read(self) -> tuple[int, int, dict[str, int], int]:
        """`(written, bytes, lost, pending)`: frames, their bytes, frames that it did not get, frames that wait.

        `lost` is by reason: each of shedding, which may be 0, and `lost_at_close`.
        """

@final
class Fanout:
    """Who gets what, and every byte that browsers get after their 101.

    Owns threads that write to duplicates of the clients' descriptors. A client is an int that is never reused.
    All methods may be called from any thread (but see `defer_wakes`), and return at once; commands of one client take
    effect in call order.
    """

    def __init__(
        self,
        *,
        threads: int = 1,
        queue_frames: int = 10_000,
        queue_bytes: int = 67_108_864,
        queue_memory: int = 536_870_912,
        reply_bytes: int | None = None,
        send_buffer: int = 262_144,
        slow_client: str = "shed",
        keep_groups: Sequence[str] = (),
        entry_format: EntryFormat | None = None,
        max_event_size: int = 16_777_216,
        direct_types: Sequence[str] = ("internal.message",),
        consumers: bool = False,
    ) -> None:
        """`entry_format`: how entries are written. `direct_types`: messages whose `text` goes straight to sockets.

        `reply_bytes` of replies a client may leave unread (None: any; an application waits for room itself).
        `consumers`: Python takes messages of other types (`publish_batch` returns them); without, they are rejected.
        """

    def defer_wakes(self, call_soon: Callable[[Callable[[], None]], object]) -> None:
        """From now on commands for one client wake its thread once a turn of the loop that `call_soon` belongs to,
        for all of them; they must come from that loop's thread. Once only.
        """
    def wake(self) -> None:
        """Wakes the threads that have commands waiting: what `call_soon` is given."""
    # clients
    def attach(self, fd: int, greeted: bool = False) -> int:
        """Takes over the writing side of a connected, non-blocking socket: duplicates `fd`, returns the client.

        `greeted`: the caller has written one frame already, which counts as queued and written.
        The caller keeps `fd` for reading and closes it by itself. Raises `OSError` when no descriptor is left.
        """
    # the end in one process, the beginning in the next (rust/src/handover.rs)
    def freeze(self) -> int:
        """Stops the threads between two writes and writes all that is here into a memory file: its descriptor, which is
        the caller's. Until `thaw` nobody may use the fan-out. Raises `OSError` when it can't; then all goes on.
        """
    def thaw(self) -> None:
        """Goes on as if nothing had been."""
    def discard(self) -> None:
        """After `freeze`, in place of `thaw`: another process has all clients, nothing is written to them here."""
    def inherit(self, fd: int) -> None:
        """Reads such a file of another process; what was counted there goes on here.

        Raises `OSError` for another format or nonsense; nothing has changed then.
        """
    def take_client(self, fd: int, former: int) -> tuple[int, LinkFigures | None]:
        """`attach` for a client that the other process called `former`, with its groups and all that waits for it.

        For a node with its figures. Raises `OSError` when there is none, or no descriptor is left.
        """
    def end_inheritance(self) -> int:
        """What nobody has taken is lost at close: how many clients. Returns when the threads have the others."""
    def set_backplane(self, group: str, own: list[str], speaker: str) -> None:
        """Names the group that node links get the messages of, whatever types go to browsers.

        Notices of subscriptions from channels that begin with one of `own` are left out, but where `speaker` follows.
        """
    def attach_link(self, fd: int, notices: bool) -> tuple[int, LinkFigures]:
        """The same for another node, which is in the backplane's group from then on; it is not one of `clients`.

        `notices`: it gets notices of subscriptions too, as text frames (the relay era).
        """
    def detach(self, client: int) -> None:
        """Forgets the client and closes the duplicate; what is queued counts as lost at close. Idempotent."""
    def close(self, client: int, code: int, reason: bytes = b"", drop: bool = False) -> None:
        """Queues a CLOSE frame after all that is queued (`drop`: after the frame begun, the rest is lost at close),
        then shuts the sending side down and gives NEWS_FINISHED. The client leaves its groups at once.
        `code` 1005 sends a CLOSE without a code. A second call is ignored, except that `drop` hastens the first.
        """
    def send_text(self, client: int, payload: bytes) -> None:
        """Queues a reply, or what an application sends: one text frame, never shed."""
    def send_str(self, client: int, text: str) -> int:
        """The same for a text that is no UTF-8 yet; how many bytes it has then. Raises `UnicodeEncodeError`."""
    def send_texts(self, client: int, payloads: Sequence[bytes]) -> None:
        """Queues replies that leave together; never shed."""
    def send_binary(self, client: int, payload: bytes) -> None:
        """Queues what an application sends as bytes: one binary frame, never shed."""
    def send_ping(self, client: int, payload: bytes) -> None:
        """A PING ahead of queued frames; one that still waits is replaced."""
    def send_pongs(self, client: int, frames: bytes) -> None:
        """PONGs ahead of queued frames, as `FrameDecoder.take_pongs` gives them. At most 64 wait; then the newest takes
        the place of the one before (RFC 6455 section 5.5.3).
        """
    def ask_drained(self, client: int) -> None:
        """Asks for NEWS_DRAINED as soon as no reply of this client waits (at once if none does)."""
    def ask_room(self, client: int) -> None:
        """Asks for NEWS_ROOM as soon as less waits, events included, than `queue_frames` and `queue_bytes`."""

    def judge_replies(self, client: int, unsent: int) -> None:
        """Closes the client (NEWS_UNREAD) if more than `reply_bytes` of replies wait and it has taken nothing since
        the last time that this was asked. `unsent`: bytes that the kernel has for it now.
        """

    # groups
    def add_channel(self, local: str, group: str) -> None:
        """Entries for a channel whose part after `!` is `local` are events of `group`."""
    def remove_channel(self, local: str) -> None: ...
    def subscribe(self, client: int, joined: Sequence[str], left: Sequence[str], reply: bytes | None = None) -> None:
        """Changes what the client gets, then queues `reply`: no event of a group in `left` follows the reply."""
    def groups_of(self, client: int) -> list[str]:
        """The client's groups, sorted; empty for a client that is gone."""
    def set_consumers(self, group: str, all: int, loose: int) -> None:
        """So many consumers of Python's are in the group; `loose` of them want direct messages as well."""
    def add_own_channel(self, local: str) -> None:
        """Python takes entries for the channel whose part after `!` is `local`."""
    def remove_own_channel(self, local: str) -> None: ...

    # events
    def publish_batch(self, entries: Sequence[Any]) -> list[tuple[bool, list[str], list[str], bytes]]:
        """Decodes queue entries and hands their frames to every subscriber. The GIL is released meanwhile.

        Returns what consumers get, in order: `(direct, groups, channels, body)`. `direct`: it went to sockets, only
        consumers that are loose want it; `channels` are own channels by their part after `!`; `body` is the entry,
        opened.

        `entries` is what a pop gave: `[[entry, score], ...]`, both bytes (score: text of a double, Unix seconds), or,
        of a list, entries alone, whose events have no age.
        Bad entries are counted by reason, never raised.
        """
    def publish_pushed(
        self, messages: list[tuple[bool, bytes, bytes]]
    ) -> list[tuple[bool, list[str], list[str], bytes]]:
        """The same of published messages (`PushReader.feed`), whose age nobody knows: they count as sent now."""
    def publish_relayed(
        self, payloads: list[bytes]
    ) -> tuple[bool, list[str], list[tuple[str, bytes, bool, bool | None]]]:
        """Hands a peer's events to the subscribers in this process: `{"group": G, "message": {...}}`, relay era.

        Returns whether a frame was malformed (what follows it is left out), the texts of metrics, and the events that
        are let through as `(group, text, taken, consumers)`. `consumers`: they get it; True: only those without socket.
        Events that were not `taken` are to be counted by `count_relayed`.
        """
    def publish_packets(self, packets: list[tuple[str, bytes]]) -> tuple[list[str], list[tuple[str, bytes, bool]]]:
        """Hands the events of an engine's packets to the subscribers in this process: of each its group and its texts.

        Returns the texts of metrics, and what consumers get, in order: `(group, text, direct)`. `direct`: it went to
        sockets, only consumers without one want it. Events are counted here, whoever takes them.
        """
    def count_relayed(self, routed: int, no_subscriber: int) -> None:
        """Counts events of peers that nobody in this process took, by whether somebody else did."""
    def count_too_large(self, count: int) -> None:
        """Counts events that were taken from Redis and rejected unread, for their length."""
    def count_gap(self, reason: str, at_most: int, times: int = 1) -> None:
        """Counts losses that can't be counted in events: so many more times, of at most so many events together."""
    def wait_time(self) -> float:
        """Seconds that intake should wait at most, since the threads are behind, or most readers are; often 0.0.

        For these it lasts as long as the last batch takes at 200,000 frames/s: a few that keep up get that much.
        NEWS_CAUGHT_UP comes when it may be over sooner: then ask again.
        """

    # news, operation
    @property
    def news_fd(self) -> int:
        """An eventfd that is readable when `take_news` has something."""
    def take_news(self, most: int) -> list[tuple[int, int]]:
        """`(client, NEWS_*)` in order, so many at most; the descriptor stays readable while there is more."""
    def ledger(self) -> dict[str, Any]:
        """`events`, `frames`, `balance`, `gaps` as `/ledger` shows them, `clients` and `groups`; taken together."""
    def metrics(self) -> dict[str, Any]:
        """`encodings`, `writes`, `queued_bytes` (unique), `reply_bytes`, and `event_age`: `{"bounds", "counts", "sum"}`
        in seconds, `odd`: how many events had a score that is no time."""
    def clients(self) -> list[tuple[int, int, int, int, float]]:
        """For each client with something queued or shed: `(client, frames, bytes, shed, oldest_age_seconds)`."""
    def stop(self) -> None:
        """Ends the threads; clients that are left are detached. Idempotent."""
