"""Gives events to nchan: HTTP POSTs, many in one write, on one connection."""

import socket

from traffic.event_texts import NANOSECONDS, event_text

ANSWER = b"HTTP/1.1 2"


class NchanPosts:
    """The publisher's location of one channel at `address` (HOST:PORT)."""

    def __init__(self, address: str, group: str, template: bytes) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        length = len(event_text(template, 0, 0))
        head = f"POST /pub/{group} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\n\r\n"
        self._template = head.encode().replace(b"%", b"%%") + template

    def send(self, first: int, count: int, made_ns: int) -> None:
        """Posts the events `first` to `first + count - 1`, stamped `made_ns`, and waits for the answers."""
        made = divmod(made_ns, NANOSECONDS)
        self._socket.sendall(b"".join(self._template % (first + index, *made) for index in range(count)))
        answers, held = 0, b""
        while answers < count:
            received = self._socket.recv(65536)
            if not received:
                raise ConnectionError("nchan has closed the connection")
            held += received
            answers += held.count(ANSWER)
            held = held[-len(ANSWER) + 1 :]

    def depth(self) -> int:
        """Nothing waits: an event is with its subscribers' sockets before the answer comes."""
        return 0
