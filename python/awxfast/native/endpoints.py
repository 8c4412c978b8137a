"""Native mode's side of a handshake: which paths there are, and who comes."""

import asyncio
import logging
from collections.abc import Iterator

from asgiref.typing import ASGI3Application

from awxfast.errors import AccessUnavailable, TooManyQuestions
from awxfast.http.plain_answers import NOT_FOUND, answer_plainly
from awxfast.native.access import Access, Identity
from awxfast.native.session import NativeProtocol
from awxfast.native.shared import Subscriptions
from awxfast.settings import Settings
from awxfast.sockets.opening import Accepted, Opening, describe_request
from awxfast.wire.handshake import RETRY, Reason, Refusal
from awxfast.wire.paths import PathKind, Paths
from awxfast.wire.request import Request

log = logging.getLogger(__name__)

KNOWN = "known"
NO_ANSWER = Refusal(503, "access", "Who you are can't be asked at the moment.", RETRY)
TOO_MANY = Refusal(503, "limit", "Too many wait to be asked who they are.", RETRY)

NOBODY: dict[Reason, str] = {
    "token": "No token, or one that nobody has.",
    "session": "No session, or one that the application's API does not know.",
    "access": "Nobody may connect (--auth).",
}
"""Why somebody is only told to go."""


class NativeEndpoints:
    """AWX's endpoints. `access` says who somebody is, `subscriptions` gets the process the events of groups.

    `refusals` counts error replies by reason.
    """

    def __init__(self, settings: Settings, subscriptions: Subscriptions, access: Access) -> None:
        self._paths = Paths(settings.path_prefix, settings.root_path)
        self._access = access
        self._native = NativeProtocol(subscriptions, access, settings.max_groups)
        self._asking: dict[asyncio.Future[Identity | None], Opening] = {}

    @property
    def plain(self) -> ASGI3Application:
        """There is nothing but websockets."""
        return answer_plainly(self._paths)

    @property
    def refusals(self) -> dict[str, int]:
        """Error replies by reason."""
        return self._native.refusals

    @property
    def native(self) -> NativeProtocol:
        """Who makes the sessions."""
        return self._native

    def check(self, request: Request) -> Refusal | None:
        """Whether the path is for browsers."""
        return None if self._paths.find(request.path) is PathKind.BROWSER else NOT_FOUND

    def decide(self, opening: Opening) -> None:
        """At once where nobody has to be asked who it is."""
        answer = self._access.identify(opening.request)
        if answer is None or isinstance(answer, Identity):
            self._accept(opening, answer)
        else:
            task = asyncio.ensure_future(answer)
            self._asking[task] = opening
            opening.on_lost = task.cancel
            task.add_done_callback(self._conclude)

    def recall(self, request: Request) -> Accepted | None:
        """Somebody who is known without a question."""
        identity = self._access.recall_identity(request)
        if identity is None:
            return None
        session = self._native.begin(identity, request)
        return Accepted(session, KNOWN, session.greeting)

    def _conclude(self, task: asyncio.Future[Identity | None]) -> None:
        """There is an answer, or none will come. Whoever was asked about may be gone."""
        opening = self._asking.pop(task)
        if task.cancelled():
            opening.give_back()
            return
        error = task.exception()
        if error is None:
            self._accept(opening, task.result())
        elif isinstance(error, TooManyQuestions):
            opening.refuse(TOO_MANY)
        else:
            self._refuse(opening, error)

    def _refuse(self, opening: Opening, error: BaseException) -> None:
        if not isinstance(error, AccessUnavailable):
            log.error("asking who somebody is failed", exc_info=error)
        opening.refuse(NO_ANSWER, f"{describe_request(opening.request)} ({error})")

    def _accept(self, opening: Opening, identity: Identity | None) -> None:
        """Writes the 101, to somebody unknown too: AWX accepts them, and its pages wait for `{"close": true}`."""
        session = self._native.begin(identity, opening.request)
        if identity is None:
            reason = self._access.name_refusal(opening.request)
            opening.dismiss(session, session.greeting, reason, NOBODY[reason])
        else:
            opening.accept(session, KNOWN, greeting=session.greeting)

    def sweep(self) -> Iterator[bool]:
        """A question ends with its socket, whether that is read or not."""
        for opening in list(self._asking.values()):
            yield opening.drop_if_gone()

    def begin_stop(self) -> None:
        """Nobody is asked any more."""
        for task in self._asking:
            task.cancel()

    async def stop(self, seconds: float) -> None:
        """All sessions are over."""
