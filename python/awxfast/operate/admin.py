"""The admin listener's pages: health, readiness, metrics, the ledger, and a status page for people.

An ASGI application; no credentials and no writes, so it is only ever served on loopback or a private socket.
"""

import dataclasses
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import orjson

from awxfast.operate.figures import Figures
from awxfast.operate.metrics import CONTENT_TYPE, build_registry, metrics_text

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"
HTML = "text/html; charset=utf-8"
STATUS_PAGE = Path(__file__).with_name("status_page.html")


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """One response."""

    status: int
    content_type: str
    body: bytes


class Admin:
    """Answers GET and HEAD for a running relay."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self._registry = build_registry(figures)
        self._pages: dict[str, Callable[[], Answer]] = {
            "/": self._status_page,
            "/healthz": lambda: Answer(200, TEXT, b"ok\n"),
            "/readyz": self._readiness,
            "/metrics": lambda: Answer(200, CONTENT_TYPE, metrics_text(self._registry)),
            "/ledger": self._ledger,
            "/clients": self._clients,
        }

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """The ASGI entry; anything but HTTP is not for this listener."""
        if scope["type"] == "http":
            await send_answer(self._find_answer(scope), scope["method"], send)

    def _find_answer(self, scope: Message) -> Answer:
        page = self._pages.get(scope["path"])
        if page is None:
            return Answer(404, TEXT, f"no such page; there are {' '.join(self._pages)}\n".encode())
        if scope["method"] not in ("GET", "HEAD"):
            return Answer(405, TEXT, b"only GET and HEAD\n")
        return page()

    def _readiness(self) -> Answer:
        reasons = self._figures.unready_reasons()
        if reasons:
            return Answer(503, TEXT, "".join(f"{reason}\n" for reason in reasons).encode())
        return Answer(200, TEXT, b"ok\n")

    def _ledger(self) -> Answer:
        return Answer(200, JSON, orjson.dumps({**self._figures.ledger(), "peers": []}) + b"\n")

    def _clients(self) -> Answer:
        return Answer(200, JSON, orjson.dumps(list(self._figures.slow_clients())) + b"\n")

    def _status_page(self) -> Answer:
        return Answer(200, HTML, STATUS_PAGE.read_bytes())


async def send_answer(answer: Answer, method: str, send: Send) -> None:
    """Sends one response; nothing of it may be kept by a browser or a proxy."""
    headers = [
        (b"content-type", answer.content_type.encode()),
        (b"content-length", str(len(answer.body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    if answer.status == 405:
        headers.append((b"allow", b"GET, HEAD"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else answer.body})
