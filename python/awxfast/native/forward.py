"""Who somebody is and what they may see, asked of the application's own API: `--auth forward=URL`."""

import asyncio
import collections
import hashlib
import logging
import ssl
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import orjson

from awxfast.errors import AccessUnavailable, ConfigurationError
from awxfast.native.access import Identity
from awxfast.native.api_questions import AT_ONCE, Answer, Party, Question, Questions, read_area
from awxfast.native.api_url import check_url
from awxfast.native.credentials import NO_CREDENTIALS, Credentials, collect_headers, is_by_token
from awxfast.native.known_logins import KnownLogins
from awxfast.printable import escape
from awxfast.quiet_log import QuietLog
from awxfast.system.connect_failure import REDIRECTS, Remedies, describe_redirect, explain_unreached
from awxfast.wire.browser_commands import CHECKED_KINDS, Want
from awxfast.wire.handshake import Reason
from awxfast.wire.request import Request

log = logging.getLogger(__name__)

OBJECTS = {
    "job_events": "jobs",
    "workflow_events": "workflow_jobs",
    "ad_hoc_command_events": "ad_hoc_commands",
}
"""Where the API has the objects of the kinds that are checked."""
QUIET = ("X-WS-Session-Quiet", "1")
"""Keeps AWX from renewing the user's session with each question."""

KEEP_SECONDS = 30.0
KEEP_NOBODY_SECONDS = 1.0
"""Who was nobody may have logged in since."""
KEEP_ANSWERS = 10_000
TIMEOUT_SECONDS = 5.0
MAX_ANSWER = 1 << 20
"""How much of an answer is read, in bytes."""
NO = frozenset({401, 403, 404})

REMEDIES = Remedies(
    refused="does anything listen on this port?",
    certificate="--auth-ca-file names whom to trust, and the URL has to have the certificate's name",
    tls="is it https:// there?",
)


class ForwardAccess:
    """Asks `GET url` for the user, and objects beside it for rights; answers are kept for a while.

    `ca_file` has the certificates that an https API is checked against, the system's if it is None.
    Raises `ConfigurationError` for a URL or file that can't be used.
    """

    def __init__(self, url: str, ca_file: str | None = None, now: Callable[[], float] = time.monotonic) -> None:
        self._url = check_url(url)
        self._base = self._url.rstrip("/").rpartition("/")[0]
        self._tls = load_certificates(ca_file)
        self._rights = AnswerMemory(KEEP_SECONDS, now)
        self._nobodies = AnswerMemory(KEEP_NOBODY_SECONDS, now)
        self._known = KnownLogins(now)
        self._questions = Questions(self._get)
        self._log = QuietLog(log, now)
        self._session: aiohttp.ClientSession | None = None

    async def identify(self, request: Request) -> Identity | None:
        """The user of the handshake's cookie or token. Raises `AccessUnavailable`."""
        credentials = Credentials(collect_headers(request))
        question = Question(self._url, credentials)
        key = digest_question(question)
        if not credentials.headers or self._nobodies.recall(key) is not None:
            return None
        known = self._known.recall(key)
        party = Party(read_area(request.client)) if known is None else Party(user=known)
        user = await self._ask_user(question, party)
        if user is None:
            self._known.forget(key)
            self._nobodies.keep(key, answer=False)
            return None
        self._known.keep(key, user)
        return Identity(user, by_session=not is_by_token(credentials.headers), credentials=credentials)

    def recall_identity(self, request: Request) -> None:
        """It is asked each time: a login may have ended."""

    async def _ask_user(self, question: Question, party: Party) -> int | None:
        status, body = await self._questions.ask(question, party)
        return None if status in NO else self._read_answer(status, body)

    def name_refusal(self, request: Request) -> Reason:
        """What was asked about: a token, or what a browser sends by itself."""
        return "token" if is_by_token(collect_headers(request)) else "session"

    async def may_subscribe(self, identity: Identity, want: Want) -> bool:
        """Whether the API shows the user the object that a group belongs to. Other groups are anybody's, as in AWX.

        Raises `AccessUnavailable`.
        """
        if want.kind not in CHECKED_KINDS:
            return True
        question = self._ask_about(identity, want)
        key = digest_question(question)
        kept = self._rights.recall(key)
        return kept if kept is not None else await self._ask_right(key, question, Party(user=identity.user))

    def recall_right(self, identity: Identity, want: Want) -> bool | None:
        """What the API has said lately, and what it is not asked about."""
        if want.kind not in CHECKED_KINDS:
            return True
        return self._rights.recall(digest_question(self._ask_about(identity, want)))

    def _ask_about(self, identity: Identity, want: Want) -> Question:
        return Question(f"{self._base}/{OBJECTS[want.kind]}/{want.value}/", identity.credentials)

    async def _ask_right(self, key: bytes, question: Question, party: Party) -> bool:
        """An answer that is neither yes nor no is not kept, and told: the browser can't know it from a no."""
        try:
            status, _ = await self._questions.ask(question, party)
            if status != 200 and status not in NO:
                raise AccessUnavailable(f"{question.url} answers {status}")
        except AccessUnavailable as error:
            self._log.warn("rights", f"not known what a user may see, a subscription is refused this once: {error}")
            raise
        self._rights.keep(key, status == 200)
        return status == 200

    async def _get(self, question: Question) -> Answer:
        """Redirects are not followed: they would carry the credentials elsewhere."""
        headers = [*question.credentials.headers, QUIET]
        try:
            async with self._open().get(question.url, headers=headers, allow_redirects=False) as response:
                if response.status in REDIRECTS:
                    where, _ = describe_redirect(response.headers.get("Location", ""))
                    raise AccessUnavailable(
                        f"{question.url} redirects{escape(where)}, which is not followed; mend the URL"
                    )
                return response.status, await read_body(response)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise AccessUnavailable(f"{question.url} can't be asked: {explain_no_answer(error)}") from error

    async def probe(self) -> str:
        """Asks once in nobody's name: who it is nobody knows, but the API is there. Raises `AccessUnavailable`."""
        question = Question(self._url, NO_CREDENTIALS)
        status, body = await self._get(question)
        if status not in NO - {404}:
            self._read_answer(status, body)
        return f"{self._url} answers {status} without credentials"

    def _read_answer(self, status: int, body: bytes) -> int | None:
        if status != 200:
            raise AccessUnavailable(f"{self._url} answers {status} to who somebody is")
        return read_user(body)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._tls, limit=AT_ONCE),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
                headers={"Accept": "application/json", "User-Agent": "awxfast"},
            )
        return self._session

    def reload(self) -> None:
        """Forgets all that the API answered."""
        self._rights.clear()
        self._nobodies.clear()
        self._known.clear()

    async def close(self) -> None:
        """Closes the connections to the API."""
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)


def explain_no_answer(error: Exception) -> str:
    """Why there is no answer, with what to do about it."""
    if found := explain_unreached(error, REMEDIES):
        return found[1]
    return f"its answer is not one of HTTP, or too long ({type(error).__name__})"


class AnswerMemory:
    """Yes and no, each kept for `seconds`; past `KEEP_ANSWERS` the oldest goes."""

    def __init__(self, seconds: float, now: Callable[[], float]) -> None:
        self._seconds = seconds
        self._now = now
        self._answers: collections.OrderedDict[bytes, tuple[float, bool]] = collections.OrderedDict()

    def recall(self, key: bytes) -> bool | None:
        """An answer that is young enough."""
        asked, answer = self._answers.get(key, (0.0, None))
        return answer if answer is not None and self._now() - asked < self._seconds else None

    def keep(self, key: bytes, answer: bool) -> None:
        """Remembers an answer as the newest."""
        self._answers[key] = (self._now(), answer)
        self._answers.move_to_end(key)
        if len(self._answers) > KEEP_ANSWERS:
            self._answers.popitem(last=False)

    def clear(self) -> None:
        """Forgets all answers at once."""
        self._answers.clear()


def digest_question(question: Question) -> bytes:
    """What stands for a question in memory, where no credentials are kept."""
    return hashlib.sha256(question.credentials.digest + question.url.encode("utf-8", "surrogatepass")).digest()


async def read_body(response: aiohttp.ClientResponse) -> bytes:
    """A body within its limit; raises `ValueError` above it."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER:
            raise ValueError("the answer is too long")
    return bytes(body)


def load_certificates(ca_file: str | None) -> ssl.SSLContext:
    """What certificates are checked against."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"--auth-ca-file {ca_file}: {error.strerror or error}") from error


def read_user(body: bytes) -> int | None:
    """`results[0].id` or `id`; None for an empty list. Raises `AccessUnavailable` for anything else."""
    try:
        document: Any = orjson.loads(body)
        if "results" in document and not document["results"]:
            return None
        user = document["results"][0]["id"] if "results" in document else document["id"]
    except (orjson.JSONDecodeError, TypeError, KeyError, IndexError) as error:
        raise AccessUnavailable("the user's URL answers without results[0].id or id") from error
    if not isinstance(user, int) or isinstance(user, bool) or user < 0:
        raise AccessUnavailable("the user's URL answers with an id that is no number")
    return user
