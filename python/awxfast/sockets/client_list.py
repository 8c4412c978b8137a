"""What connections share, as each of them sees it: `clients` has it for browsers, `node_seat` for a node's."""

from typing import TYPE_CHECKING, Any, Protocol

from awxfast._rust import Fanout, FrameDecoder, LinkFigures
from awxfast.sockets.reading import Clock

if TYPE_CHECKING:
    from awxfast.sockets.connection import Connection


class ClientList(Clock, Protocol):
    """What connections share, and who keeps the list of them."""

    close_timeout: float
    is_node: bool
    figures: LinkFigures | None
    """What was written to a node; None before the attach, and for browsers."""

    @property
    def fanout(self) -> Fanout:
        """Who writes to all sockets."""

    def attach(self, descriptor: int, *, greeted: bool) -> int:
        """Makes the fan-out the one who writes; its number for the connection. Raises `OSError`.

        `greeted`: one message was written with the 101, and is to be counted.
        """

    def freeze(self) -> dict[str, Any] | None:
        """What another process needs to know of a node's connection, as JSON has it; None: it is a browser's."""

    def make_decoder(self, *, as_str: bool) -> FrameDecoder:
        """For what the peer sends; `as_str`: its texts are `str`, not UTF-8."""

    def add_opening(self, connection: "Connection") -> None:
        """A connection whose 101 is not out yet."""

    def add(self, connection: "Connection") -> None:
        """It is attached: it has its number now."""

    def remove(self, connection: "Connection") -> None:
        """Forgets a connection that is gone."""

    def count_close(self, by: str, code: int) -> None:
        """Counts one end, by `server` or `peer`."""

    def report_fault(self, peer: str, code: int, reason: bytes) -> None:
        """The peer did wrong and is closed; `reason` is ours, and has nothing of what it sent."""

    def report_turned_away(self, error: OSError) -> None:
        """A connection can't be attached, and ends."""

    def make_room(self) -> None:
        """Closes those who have sent the most that is not served: all together have sent more than they may."""
