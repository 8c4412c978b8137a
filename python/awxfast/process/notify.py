"""systemd's notify protocol (sd_notify(3)): ready, stopping, and the watchdog's pings."""

import logging
import os
import socket
from collections.abc import MutableMapping

log = logging.getLogger(__name__)

VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Notifier:
    """Tells the service manager how the main process is; silent where nobody asked.

    The variables are taken out of `environ`, so that children don't speak in main's name.
    """

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        self.variables = {name: environ.pop(name) for name in VARIABLES if name in environ}
        """For this process's next program."""
        self._address = self.variables.get("NOTIFY_SOCKET", "")
        microseconds = self.variables.get("WATCHDOG_USEC", "")
        watched = self.variables.get("WATCHDOG_PID") or str(os.getpid())
        wanted = self._address and microseconds.isdigit() and watched == str(os.getpid())
        self.watchdog_interval: float | None = int(microseconds) / 2_000_000 if wanted else None
        """Seconds between pings, half of what the manager allows; None: no watchdog."""

    def send_ready(self) -> None:
        """Tells systemd that start-up is complete."""
        self._send("READY=1")

    def send_stopping(self) -> None:
        """Tells systemd that shutdown has begun."""
        self._send("STOPPING=1")

    def send_watchdog(self) -> None:
        """Main is alive, and so is its child."""
        self._send("WATCHDOG=1")

    def _send(self, state: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
                sock.sendto(state.encode(), address)
        except OSError as error:
            log.warning("the service manager can't be told %s: %s", state, error)
