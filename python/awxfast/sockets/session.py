"""Who speaks over a connection, as that sees it: `native`, `hosted` and `nodes` have one each."""

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from awxfast.sockets.connection import Connection


class Session(Protocol):
    """Who speaks over a connection. After `end` nothing is called any more."""

    takes_str: bool
    """Whether a text reaches it as `str`; else as UTF-8, as it came."""

    def open(self, connection: "Connection") -> None:
        """The connection can be used from now on."""

    def receive_text(self, text: Any) -> None:
        """A whole text message, as `takes_str` says; UTF-8 is checked."""

    def receive_binary(self, payload: bytes) -> None:
        """A whole binary message."""

    def replies_drained(self) -> None:
        """The answer to `Connection.ask_drained`."""

    def room_made(self) -> None:
        """The answer to `Connection.ask_room`."""

    def end(self, code: int, reason: str = "") -> None:
        """Nothing more is sent or received; `code` says why, `reason` what the peer said about it.

        Called once, without `open` when it never came to that.
        """
