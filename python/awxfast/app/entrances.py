"""Where browsers come in: opened, closed for a hand-over, and opened again if that comes to nothing."""

import dataclasses
from collections.abc import Sequence

from awxfast.http.listening import Listening
from awxfast.sockets.server import Server


class Entrances:
    """The listening sockets of a relay, which keeps them once more for when it is to listen again."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._spares: Sequence[Listening] = ()
        self.addresses: Sequence[str] = ()
        self.is_open = False
        """Whether whoever comes is served."""

    def note(self, listenings: Sequence[Listening]) -> None:
        """Where it will listen; what of it is used is its own."""
        self.addresses = [listening.address for listening in listenings]
        self._keep_spares(listenings)

    def _keep_spares(self, listenings: Sequence[Listening]) -> None:
        self._spares = [dataclasses.replace(listening, sock=listening.sock.dup()) for listening in listenings]

    def close(self) -> None:
        """Who connects waits in the kernel from now on."""
        self._server.end_listening()

    async def open_again(self) -> None:
        """Undoes `close`: nobody else serves."""
        listenings = self._spares
        self._keep_spares(listenings)
        await self._server.listen(listenings)

    def drop_spares(self) -> None:
        """It will not listen again."""
        for spare in self._spares:
            spare.sock.close()
