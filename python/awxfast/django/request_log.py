"""What `runserver` says about requests: on daphne's logger and in its form, so that a project's LOGGING applies."""

import io
import logging
from typing import Any

from awxfast.http.access_log import AccessLog

logger = logging.getLogger("django.channels.server")

ACTIONS = {
    "WSCONNECTING": "HANDSHAKING",
    "WSCONNECT": "CONNECT",
    "WSREJECT": "REJECT",
    "WSDISCONNECT": "DISCONNECT",
}

HTTP = "HTTP %(method)s %(path)s %(status)s [%(time_taken).2f, %(client)s]"
WEBSOCKET = "WebSocket %(action)s %(path)s [%(client)s]"


class RequestLog(AccessLog):
    """One line an action. `style` is a Django command's: it colours by the status."""

    def __init__(self, style: Any) -> None:
        super().__init__(io.StringIO(), with_queries=True)
        self._style = style

    def write(
        self,
        client: str,
        request: str,
        status: int | None = None,
        length: int | None = None,
        seconds: float | None = None,
    ) -> None:
        """Writes one line for a request to the logger of the project."""
        first, _, path = request.partition(" ")
        details: dict[str, Any] = {"path": path, "client": client}
        if first in ACTIONS:
            logger.info(WEBSOCKET, {**details, "action": ACTIONS[first]})
        elif status is not None:
            level, colour = choose_style(status)
            details |= {"method": first, "status": status, "time_taken": seconds or 0.0, "size": length}
            logger.log(level, getattr(self._style, colour)(HTTP), details)


def choose_style(status: int) -> tuple[int, str]:
    """The level, and the style by its name in `django.core.management.color`."""
    if status in SPECIAL:
        return SPECIAL[status]
    return CLASSES.get(status // 100, (logging.ERROR, "HTTP_SERVER_ERROR"))


SPECIAL = {304: (logging.INFO, "HTTP_NOT_MODIFIED"), 404: (logging.WARNING, "HTTP_NOT_FOUND")}
CLASSES = {
    1: (logging.INFO, "HTTP_INFO"),
    2: (logging.INFO, "HTTP_SUCCESS"),
    3: (logging.INFO, "HTTP_REDIRECT"),
    4: (logging.WARNING, "HTTP_BAD_REQUEST"),
}
