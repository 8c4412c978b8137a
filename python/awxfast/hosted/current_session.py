"""Which websocket a part of the application runs for: how the host and the channel layer know each other's sessions."""

import contextvars
from collections.abc import Callable
from typing import Protocol


class LayerSession(Protocol):
    """One websocket scope, as the channel layer sees it. All of it belongs to the serving loop."""

    @property
    def client(self) -> int | None:
        """The fan-out's number; None before the 101 is out. It stays when the socket is gone."""

    @property
    def has_ended(self) -> bool:
        """Whether the application's task for this scope has; another one that it began may go on."""

    def overstep(self) -> None:
        """Its consumer wants more groups than one websocket may have: closes it."""

    def on_attached(self, callback: Callable[[], None]) -> None:
        """Calls back when `client` has just been set, before anything that comes later is published."""

    def on_end(self, callback: Callable[[], None]) -> None:
        """Calls back when the application's task for this scope has ended, however it did."""


current_session: contextvars.ContextVar[LayerSession | None] = contextvars.ContextVar("current_session", default=None)
"""Set by the host around the application's call for a websocket scope, and for no other."""
