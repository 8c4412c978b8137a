"""Where browsers and operators come in: opened, closed for a hand-over, and opened again if that comes to nothing."""

import dataclasses
import socket
from collections.abc import Sequence

from awxfast.figures import Figures
from awxfast.http.listening import Listening
from awxfast.operate.admin import AdminListener
from awxfast.sockets.server import Server


class Entrances:
    """The listening sockets of a relay, which keeps them once more for when it is to listen again."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._admin: AdminListener | None = None
        self._spares: Sequence[Listening] = ()
        self._spare_admin: socket.socket | None = None
        self.addresses: Sequence[str] = ()
        self.is_open = False
        """Whether whoever comes is served."""

    def note(self, listenings: Sequence[Listening], admin: socket.socket | None) -> None:
        """Where it will listen; what of it is used is its own."""
        self.addresses = [listening.address for listening in listenings]
        self._keep_spares(listenings, admin)

    def _keep_spares(self, listenings: Sequence[Listening], admin: socket.socket | None) -> None:
        self._spares = [dataclasses.replace(listening, sock=listening.sock.dup()) for listening in listenings]
        self._spare_admin = admin.dup() if admin is not None else None

    async def open_admin(self, figures: Figures, admin: socket.socket | None) -> None:
        """Operators see the figures from now on, if they have a listener."""
        if admin is not None:
            self._admin = await AdminListener.start(figures, admin)

    async def close(self) -> None:
        """Who connects waits in the kernel from now on, an operator too."""
        await self.close_admin()
        self._server.end_listening()

    async def close_admin(self) -> None:
        """Operators see nothing any more."""
        if self._admin is not None:
            admin, self._admin = self._admin, None
            await admin.stop()

    async def open_again(self, figures: Figures) -> None:
        """Undoes `close`: nobody else serves."""
        listenings, admin = self._spares, self._spare_admin
        self._keep_spares(listenings, admin)
        await self._server.listen(listenings)
        await self.open_admin(figures, admin)

    def drop_spares(self) -> None:
        """It will not listen again."""
        for spare in self._spares:
            spare.sock.close()
        if self._spare_admin is not None:
            self._spare_admin.close()
