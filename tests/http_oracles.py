"""What two other readers of HTTP/1.1 make of the same bytes. None is strict alone."""

import dataclasses
from typing import Any, Literal

import h11
import httptools

End = Literal["waits", "refuses", "stops"]


@dataclasses.dataclass(frozen=True)
class Asked:
    """A whole request; header names in lower case, without those that have `_`."""

    method: str
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


@dataclasses.dataclass(frozen=True)
class Reading:
    """The whole requests, and what happens to bytes that follow: `stops` reads none, and finds no fault either."""

    requests: list[Asked]
    end: End
    reason: str = ""


def keep_headers(headers: list[tuple[bytes, bytes]]) -> tuple[tuple[bytes, bytes], ...]:
    """As an application gets them."""
    return tuple((name.lower(), value.strip(b" \t")) for name, value in headers if b"_" not in name)


def read_with_h11(data: bytes) -> Reading:
    """h11, where each request is answered at once."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    connection.receive_data(data)
    requests: list[Asked] = []
    try:
        while request := connection.next_event():
            if not isinstance(request, h11.Request):
                return Reading(requests, "waits" if request is h11.NEED_DATA else "stops")
            if request.method == b"CONNECT":
                return Reading(requests, "stops")
            body = b""
            while isinstance(event := connection.next_event(), h11.Data):
                body += event.data
            if not isinstance(event, h11.EndOfMessage):
                return Reading(requests, "waits")
            headers = keep_headers([(bytes(name), bytes(value)) for name, value in request.headers])
            requests.append(Asked(request.method.decode(), bytes(request.target), headers, body))
            connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
            connection.send(h11.EndOfMessage())
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                return Reading(requests, "stops")
            connection.start_next_cycle()
    except h11.RemoteProtocolError as error:
        return Reading(requests, "refuses", str(error))
    raise AssertionError("h11 has no next event")


class _Found:
    """What httptools calls back."""

    def __init__(self) -> None:
        self.requests: list[Asked] = []
        self.parser: Any = httptools.HttpRequestParser(self)
        self.stops = False
        self.on_message_begin()

    def on_message_begin(self) -> None:
        self._url = self._body = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._in_head = True

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # trailers come the same way
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self.parser.should_upgrade():
            self.stops = True  # it would take the body for another protocol's bytes, whatever becomes of the upgrade
            raise RuntimeError("an upgrade")

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        method = self.parser.get_method().decode()
        self.requests.append(Asked(method, self._url, keep_headers(self._headers), self._body))
        self.stops = not self.parser.should_keep_alive()


def read_with_httptools(data: bytes) -> Reading:
    """httptools, which is Node's parser."""
    found = _Found()
    try:
        found.parser.feed_data(data)
    except httptools.HttpParserError as error:
        return Reading(found.requests, "stops" if found.stops else "refuses", str(error))
    return Reading(found.requests, "stops" if found.stops else "waits")
