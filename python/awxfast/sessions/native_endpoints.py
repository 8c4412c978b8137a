"""Native mode's side of a handshake: which paths there are, and who comes."""

import asyncio
import logging
from collections.abc import Awaitable

from asgiref.typing import ASGI3Application

from awxfast.errors import AccessUnavailable
from awxfast.sessions.access import Access, Identity
from awxfast.sessions.admission import RETRY
from awxfast.sessions.native import NativeProtocol, Subscriptions
from awxfast.sessions.opening import Opening
from awxfast.sessions.plain import NOT_FOUND, answer_plainly
from awxfast.settings import Settings
from awxfast.wire.handshake import Refusal
from awxfast.wire.paths import Endpoint, Paths
from awxfast.wire.request import Request

log = logging.getLogger(__name__)

NO_ANSWER = Refusal(503, "access", "Who you are can't be asked at the moment.", RETRY)


class NativeEndpoints:
    """AWX's endpoints. `access` says who somebody is, `subscriptions` gets the process the events of groups.

    `refusals` counts error replies by reason.
    """

    def __init__(self, settings: Settings, subscriptions: Subscriptions, access: Access) -> None:
        self._paths = Paths(settings.path_prefix, settings.root_path)
        self._access = access
        self._native = NativeProtocol(subscriptions, access)
        self._asking: set[asyncio.Task[None]] = set()

    @property
    def plain(self) -> ASGI3Application:
        """There is nothing but websockets."""
        return answer_plainly(self._paths)

    @property
    def refusals(self) -> dict[str, int]:
        """Error replies by reason."""
        return self._native.refusals

    def check(self, request: Request) -> Refusal | None:
        """Whether the path is for browsers."""
        return None if self._paths.find(request.path) is Endpoint.BROWSER else NOT_FOUND

    def decide(self, opening: Opening) -> None:
        """At once where nobody has to be asked who it is."""
        answer = self._access.identify(opening.request)
        if answer is None or isinstance(answer, Identity):
            self._accept(opening, answer)
        else:
            task = asyncio.get_running_loop().create_task(self._wait_for_identity(opening, answer))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def _wait_for_identity(self, opening: Opening, answer: Awaitable[Identity | None]) -> None:
        try:
            identity = await answer
        except AccessUnavailable as error:
            log.warning("a handshake is refused: %s", error)
            opening.refuse(NO_ANSWER)
        except Exception:
            log.exception("asking who somebody is failed")
            opening.refuse(NO_ANSWER)
        else:
            self._accept(opening, identity)

    def _accept(self, opening: Opening, identity: Identity | None) -> None:
        """Writes the 101, to somebody unknown too: AWX accepts them, and its pages wait for `{"close": true}`."""
        session = self._native.begin(identity, opening.request)
        opening.accept(session, "anonymous" if identity is None else "known")

    def sweep(self) -> None:
        """Nothing here takes time that the connections' own limits do not see."""

    def begin_stop(self) -> None:
        """Nobody is asked any more."""
        for task in self._asking:
            task.cancel()

    async def stop(self, seconds: float) -> None:
        """All sessions are over."""
