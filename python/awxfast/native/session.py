"""The native protocol: what AWX's EventConsumer does for a browser, with awxfast's own authentication."""

import asyncio
import collections
import logging
from collections.abc import Mapping
from typing import Any

from awxfast.native.access import Identity
from awxfast.native.granting import grant, recall_groups
from awxfast.native.session_record import (
    Identities,
    WaitingCommand,
    describe_commands,
    describe_identity,
    read_commands,
)
from awxfast.native.shared import SharedBySessions
from awxfast.native.subscribing import SubscribingSession
from awxfast.sockets.connection import Connection
from awxfast.wire import browser_commands
from awxfast.wire.browser_replies import GOODBYE, encode_welcome
from awxfast.wire.close_codes import FAILED, NORMAL, POLICY, UNSUPPORTED_DATA
from awxfast.wire.request import Request, read_cookie

log = logging.getLogger(__name__)

HELD_BYTES = 65_536
"""Commands that wait for the one before: past it the client is not read, pings included."""
COMMAND_OVERHEAD = 64
"""What a waiting command counts for besides its bytes."""

READ_BYTES, READ_PARTS = 1_000, 8
"""How many bytes, and how many values and lists, of a command cost as much to read as a group to join."""


class NativeProtocol(SharedBySessions):
    """Makes the sessions of native mode."""

    def begin(self, identity: Identity | None, request: Request) -> "NativeSession":
        """The session of a handshake that is about to be accepted."""
        by_session = identity is not None and identity.by_session
        return NativeSession(self, identity, (read_cookie(request, "csrftoken") or "") if by_session else None)

    def begin_again(self, identities: Identities, frozen: Mapping[str, Any]) -> "NativeSession":
        """The session of which `NativeSession.freeze` told in the process before this one; `resume` must follow."""
        return NativeSession(self, identities.read(frozen["identity"]), frozen["csrf"])


class NativeSession(SubscribingSession):
    """One browser. Its commands are served one after the other, each when the replies of the one before are out."""

    __slots__ = ("_commands", "_csrf_token", "_held", "_task")

    takes_str = False

    def __init__(self, protocol: SharedBySessions, identity: Identity | None, csrf_token: str | None) -> None:
        super().__init__(protocol, identity)
        self._csrf_token = csrf_token
        self._commands: collections.deque[WaitingCommand] | None = None
        self._held = 0
        self._task: asyncio.Task[None] | None = None

    # What the connection calls

    @property
    def greeting(self) -> bytes:
        """The first message. Who is unknown is told to go: AWX accepts them, and its pages wait for that."""
        return GOODBYE if self._identity is None else encode_welcome(self._identity.user)

    def open(self, connection: Connection) -> None:
        """The browser has its greeting, and one that is unknown gets nothing else."""
        self._connection = connection
        if self._identity is None:
            connection.close(NORMAL)

    def receive_text(self, payload: bytes) -> None:
        """A command: served behind those that wait."""
        if self._task is None and self._serve_at_once(payload):
            return
        if self._commands is None:
            self._commands = collections.deque()
        self._commands.append(payload)
        self._count_held(len(payload) + COMMAND_OVERHEAD)
        if self._held > HELD_BYTES and self._connection is not None:
            self._connection.pause_reading()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._serve_commands())

    def _count_held(self, size: int) -> None:
        self._held += size
        self._protocol.unserved += size

    def receive_binary(self, payload: bytes) -> None:
        """Only text is spoken here."""
        if self._connection is not None:
            self._connection.close(UNSUPPORTED_DATA, b"only text is spoken here", drop=True)

    def room_made(self) -> None:
        """Never asked for: replies are bounded by not making more."""

    def end(self, code: int, reason: str = "") -> None:
        """Lets go of the groups; a subscription that waits for Redis lets go of its own."""
        self._connection = self._commands = None
        self._count_held(-self._held)
        self._end_watch()
        if self._task is not None:
            self._task.cancel()
        self._leave_all()

    # From one process to the next

    def freeze(self) -> dict[str, Any]:
        """What another process needs to go on; nothing changes here. Groups are the fan-out's to tell."""
        assert self._identity is not None
        return {
            "identity": describe_identity(self._identity),
            "csrf": self._csrf_token,
            "commands": describe_commands(self._commands or ()),
            "standing": self._standing_now,
        }

    def resume(self, connection: Connection, frozen: Mapping[str, Any]) -> None:
        """Goes on with what `freeze` gave in the process before this one, in place of `open`."""
        self._connection = connection
        self._hold_inherited(connection.groups)
        if frozen["standing"]:
            self._note_replies(frozen["standing"])
        if frozen["commands"]:
            self._commands = collections.deque(read_commands(frozen["commands"]))
            self._count_held(sum(map(measure_held, self._commands)))
            if self._held > HELD_BYTES:
                connection.pause_reading()
            self._task = asyncio.get_running_loop().create_task(self._serve_commands())

    # Commands

    def _serve_at_once(self, payload: bytes) -> bool:
        """Most commands need nobody to wait for anything, and a task would cost more than they do. Whether this is one.

        If it is none nothing has changed: it is served from its beginning, step by step.
        """
        protocol = self._protocol
        if self._standing or len(payload) > READ_BYTES or not protocol.turns.take_at_once(measure(payload)):
            return False
        command = browser_commands.read_command(payload, self._csrf_token, protocol.max_groups)
        assert self._identity is not None
        groups = recall_groups(protocol.access, protocol.turns, self._identity, command)
        return groups is not None and self._subscribe_at_once(groups)

    async def _serve_commands(self) -> None:
        """Serves what waits. The task ends with it, since most clients are silent most of the time."""
        try:
            while self._commands:
                await self._wait_until_drained()
                command = self._begin_command()
                try:
                    await self._serve(command)
                finally:
                    self._protocol.unserved -= measure_held(command)
                if self._commands:
                    self._commands.popleft()
            self._commands = self._task = None
        except Exception:
            log.exception("a command could not be served")
            if self._connection is not None:
                self._connection.close(FAILED, drop=True)

    def _begin_command(self) -> WaitingCommand:
        """The first that waits. It stays there until it is served: another process may have to go on with it."""
        assert self._commands is not None and self._connection is not None
        command = self._commands[0]
        self._held -= measure_held(command)
        if self._held <= HELD_BYTES:
            self._connection.resume_reading()
        return command

    async def _serve(self, payload: WaitingCommand) -> None:
        """One command; of one that has its error replies already: the groups that were granted."""
        if isinstance(payload, frozenset):
            await self._subscribe(payload)
            return
        await self._protocol.turns.take(measure(payload))
        command = browser_commands.read_command(payload, self._csrf_token, self._protocol.max_groups)
        if command.excessive:
            assert self._connection is not None
            self._connection.close(POLICY, b"too many groups")
            return
        assert self._identity is not None
        granted = await grant(self._protocol.access, self._protocol.turns, self._identity, command)
        for reason in granted.reasons:  # not before: another process may have to begin it anew
            self._protocol.count_refusal(reason)
        self._send(*granted.errors)
        groups = granted.groups
        if command.replaces and self._commands is not None:
            self._commands[0] = frozenset(groups)  # in this turn of the loop: the error replies are on their way
            await self._subscribe(groups)


def measure_held(command: WaitingCommand) -> int:
    """What a command counts for while it waits."""
    return len(command) + COMMAND_OVERHEAD if isinstance(command, bytes) else 0


def measure(payload: bytes) -> int:
    """What it costs to read a command, in groups that join."""
    return 1 + len(payload) // READ_BYTES + browser_commands.count_parts(payload) // READ_PARTS
