"""Browsers that check what they get: many in one process, over picows, which none of us wrote."""

import asyncio
import json
import ssl
from collections.abc import Callable, Iterable
from typing import Any

from events import event_text
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect
from resets import reset_at_close

TOKEN = "a page's token"


def command(groups: Iterable[str], **more: Any) -> str:
    """A subscription as a page sends it: `job_events-1` is the key `job_events` and the value `1`."""
    wanted: dict[str, list[str]] = {}
    for group in groups:
        key, _, value = group.partition("-")
        wanted.setdefault(key, []).append(value)
    return json.dumps({"groups": wanted, "xrftoken": TOKEN, **more})


class Browser(WSListener):
    """One websocket. Keeps replies whole, and of events how many of each producer came, in order and byte for byte."""

    def __init__(self) -> None:
        self.replies: list[dict[str, Any]] = []
        self.next: dict[tuple[int, str], int] = {}
        self.events = 0
        self.out_of_order = 0
        self.altered = 0
        self.closed: int | None = None
        self.gone = asyncio.Event()
        self.changed = asyncio.Event()
        self.last_number = -1
        self.on_event: Callable[[dict[str, Any]], None] | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            self.closed = int(frame.get_close_code())
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif frame.msg_type == WSMsgType.TEXT:
            self.receive_text(frame.get_payload_as_utf8_text())

    def receive_text(self, text: str) -> None:
        if text.startswith('{"producer"'):
            self.receive_event(text)
        else:
            self.replies.append(json.loads(text))
        self.changed.set()

    def receive_event(self, text: str) -> None:
        self.events += 1
        head = json.loads(text[: text.index(', "stdout"')] + "}")
        producer, number, group = head["producer"], head["number"], head["group"]
        if number <= self.next.get((producer, group), -1):
            self.out_of_order += 1
        self.next[producer, group] = number
        self.last_number = number
        if text != event_text(producer, number, group):
            self.altered += 1
        if self.on_event is not None:
            self.on_event(head)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.gone.set()
        self.changed.set()

    async def subscribe(self, groups: Iterable[str]) -> dict[str, Any]:
        """Sends a subscription and waits for its reply."""
        seen = len(self.replies)
        self.transport.send(WSMsgType.TEXT, command(groups).encode())
        await self.until(lambda: len(self.replies) > seen)
        return self.replies[-1]

    async def until(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        """Waits for something that arrives; the time, in which nothing comes, is only a guard against hanging."""
        while not condition():
            self.changed.clear()
            async with asyncio.timeout(seconds):
                await self.changed.wait()


async def open_browser(url: str, groups: Iterable[str] | None = None, trust: ssl.SSLContext | None = None) -> Browser:
    """A browser that has been told who it is and, if asked for, is subscribed."""
    headers = {"Cookie": f"csrftoken={TOKEN}"}
    _, browser = await ws_connect(
        Browser,
        url,
        ssl_context=trust,
        extra_headers=headers,
        # What other browsers get goes first here: this loop may be late by any time.
        websocket_handshake_timeout=None,
        # aiofastnet, picows' default where installed, loses disconnects on uvloop.
        use_aiofastnet=False,
    )
    await browser.until(lambda: bool(browser.replies))
    assert browser.replies[0]["accept"] is True
    if groups is not None:
        reply = await browser.subscribe(groups)
        assert sorted(reply["groups_current"]) == sorted(groups)
    return browser


async def close_browsers(browsers: Iterable[Browser]) -> None:
    for browser in browsers:
        browser.transport.disconnect()
        await browser.gone.wait()


class NeverReads:
    """A browser that subscribes and then leaves everything, pings too, in the kernel's buffers."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer

    @classmethod
    async def open(cls, port: int, groups: Iterable[str]) -> "NeverReads":
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(
            f"GET /websocket/ HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            f"Cookie: csrftoken={TOKEN}\r\n\r\n".encode()
        )
        payload = command(groups).encode().ljust(126)
        writer.write(bytes([0x81, 0x80 | 126]) + len(payload).to_bytes(2, "big") + b"\0\0\0\0" + payload)
        await reader.readuntil(b"groups_current")
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        return cls(writer)

    def abort(self) -> None:
        """Goes without a word: with a reset, since there is unread data."""
        self.writer.transport.abort()


def reset(browser: Browser) -> None:
    """The far end goes away in the rudest way: RST."""
    raw = browser.transport.underlying_transport.get_extra_info("socket")
    reset_at_close(raw)
    browser.transport.underlying_transport.abort()
