"""The admin listener's pages: health, readiness, metrics, the ledger, and a status page for people.

An ASGI application; no credentials and no writes, so it is only ever served on loopback or a private socket.
"""

import asyncio
import contextlib
import dataclasses
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope

from awxfast.figures import EngineFigures
from awxfast.http.outcomes import Outcomes
from awxfast.http.plain_connections import PlainConnections
from awxfast.http.service import HttpService
from awxfast.operate.metrics import CONTENT_TYPE, metrics_text
from awxfast.operate.view import Shared, Source, View
from awxfast.printable import escape
from awxfast.quiet_log import QuietLog
from awxfast.wire.hosts import is_loopback, read_host

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"
HTML = "text/html; charset=utf-8"
MAX_HEAD = 16_384
HEAD_TIMEOUT = 10.0
MAX_CONNECTIONS = 64
FINISH_SECONDS = 0.5
"""How long an end waits for answers under way, and for requests of those who have just connected."""
FINISH_STEP = 0.01
STATUS_PAGE = Path(__file__).with_name("status_page.html")


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """A response of the admin listener."""

    status: int
    content_type: str
    body: bytes


log = logging.getLogger(__name__)

LONGEST_HOST = 100
"""Characters of a refused one that are logged."""

FOREIGN = Answer(403, TEXT, b"only for a Host that is localhost or a loopback address, or on a socket file\n")


class Admin:
    """Answers GET and HEAD for a running server. Who asks for a page at once with others gets the same one."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._refusals = QuietLog(log)
        pages: Mapping[str, Callable[[], Awaitable[Answer]]] = {
            "/": self._status_page,
            "/healthz": self._health,
            "/readyz": self._readiness,
            "/metrics": self._metrics,
            "/ledger": self._ledger,
            "/clients": self._clients,
            "/about": self._about,
        }
        self._pages = {path: Shared(page) for path, page in pages.items()}

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """The ASGI entry; anything but HTTP is not for this listener."""
        if scope["type"] == "http":
            answer = await self._find_answer(scope) if is_for_here(scope) else self._refuse(scope)
            await send_answer(answer, scope["method"], send)

    def _refuse(self, scope: HTTPScope) -> Answer:
        hosts = b", ".join(value for name, value in scope["headers"] if name == b"host")
        named = f"Host {escape(hosts.decode('latin-1'), LONGEST_HOST)}" if hosts else "no Host"
        self._refusals.warn("host", f"the admin listener answers 403 to {named}: it must name this machine")
        return FOREIGN

    async def _find_answer(self, scope: HTTPScope) -> Answer:
        page = self._pages.get(scope["path"])
        if page is None:
            return Answer(404, TEXT, f"no such page; there are {' '.join(self._pages)}\n".encode())
        if scope["method"] not in ("GET", "HEAD"):
            return Answer(405, TEXT, b"only GET and HEAD\n")
        return await page.get()

    async def _health(self) -> Answer:
        return answer_unless(await self._source.list_hanging())

    async def _readiness(self) -> Answer:
        return answer_unless((await self._source.look()).figures.unready_reasons())

    async def _metrics(self) -> Answer:
        return Answer(200, CONTENT_TYPE, metrics_text(await self._source.look()))

    async def _ledger(self) -> Answer:
        return answer_json(show_ledger(await self._source.look()))

    async def _clients(self) -> Answer:
        return answer_json(await self._source.list_slow_clients())

    async def _about(self) -> Answer:
        view = await self._source.look()
        return answer_json({**dataclasses.asdict(view.figures.about()), "main": view.place.main})

    async def _status_page(self) -> Answer:
        return Answer(200, HTML, STATUS_PAGE.read_bytes())


def answer_unless(reasons: Sequence[str]) -> Answer:
    """All is well, or why it is not, a line each."""
    if reasons:
        return Answer(503, TEXT, "".join(f"{reason}\n" for reason in reasons).encode())
    return Answer(200, TEXT, b"ok\n")


def answer_json(page: Any) -> Answer:
    """A page for programs."""
    return Answer(200, JSON, orjson.dumps(page) + b"\n")


def show_ledger(view: View) -> Mapping[str, Any]:
    """What became of all events and frames, with the nodes and, where there are several, the workers."""
    workers = {"workers": [*view.workers]} if view.workers else {}
    return {
        **view.figures.ledger(),
        "peers": list(view.figures.peers()),
        **show_engine(view.figures.engine()),
        "generation": view.place.generation,
        **workers,
    }


def show_engine(engine: EngineFigures | None) -> Mapping[str, Any]:
    """As the ledger has it; nothing without an engine."""
    if engine is None:
        return {}
    counted = {name: getattr(engine, name) for name in ("events", "lost", "faults", "no_room")}
    figures = {"up": engine.up, "trouble": engine.trouble, **counted, **engine.own, **engine.present}
    return {"engine": {**figures, "origins": [*engine.origins]}}


class AdminListener:
    """Serves `Admin` on one listening socket."""

    def __init__(self, server: asyncio.Server, service: HttpService) -> None:
        self._server = server
        self._service = service

    @classmethod
    async def start(cls, source: Source, sock: socket.socket) -> "AdminListener":
        """Answers from now on. Its requests don't count as the relay's handshakes."""
        plain = PlainConnections(MAX_CONNECTIONS)  # whatever strangers hold of their listeners is not counted here
        service = HttpService(Admin(source), Outcomes(), max_head=MAX_HEAD, head_timeout=HEAD_TIMEOUT, plain=plain)
        loop = asyncio.get_running_loop()
        create = loop.create_unix_server if sock.family == socket.AF_UNIX else loop.create_server
        return cls(await create(service, sock=sock), service)

    async def finish(self) -> None:
        """The same as `stop`, but who is connected has a moment to ask and gets an answer."""
        self._server.close()
        self._service.close_answered()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FINISH_SECONDS):
                while self._service.connections:  # noqa: ASYNC110  their ends have many reasons
                    await asyncio.sleep(FINISH_STEP)
        await self.stop()

    async def stop(self) -> None:
        """Closes the listener and its connections."""
        self._server.close()
        self._service.close()
        await self._server.wait_closed()


def is_for_here(scope: HTTPScope) -> bool:
    """Whether a request is meant for this machine: a page elsewhere may lead its own name here, to read along.

    A browser always says a host; load balancers that look whether a node is well may speak HTTP/1.0 without.
    """
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if not hosts and scope["http_version"] == "1.0":
        return True
    return scope["server"] is None or is_loopback(read_host(hosts))


async def send_answer(answer: Answer, method: str, send: ASGISendCallable) -> None:
    """Sends one response; nothing of it may be kept by a browser or a proxy."""
    headers = [
        (b"content-type", answer.content_type.encode()),
        (b"content-length", str(len(answer.body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    if answer.status == 405:
        headers.append((b"allow", b"GET, HEAD"))
    body = b"" if method == "HEAD" else answer.body
    await send({"type": "http.response.start", "status": answer.status, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": body, "more_body": False})
