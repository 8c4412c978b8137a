"""A browser made of bytes: it sends what no library would, and reads frames with a few lines of its own."""

import asyncio
import contextlib
import json
import socket
import struct
import zlib
from typing import Any

from resets import reset_at_close
from serving import HANG, Serving

KEY = "dGhlIHNhbXBsZSBub25jZQ=="

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def handshake(path: str = "/websocket/", *lines: str) -> bytes:
    """A valid upgrade request with header lines of the test's choice."""
    fixed = ["Host: test", "Connection: Upgrade", "Upgrade: websocket", f"Sec-WebSocket-Key: {KEY}"]
    head = [f"GET {path} HTTP/1.1", *fixed, "Sec-WebSocket-Version: 13", *lines]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n"


def frame(
    payload: bytes | str = b"", opcode: int = TEXT, *, final: bool = True, masked: bool = True, rsv: int = 0
) -> bytes:
    """A frame as a client sends it, or with the faults asked for."""
    data = payload.encode() if isinstance(payload, str) else payload
    first = (0x80 if final else 0) | rsv << 4 | opcode
    return bytes([first]) + length(len(data), masked) + (mask(data) if masked else data)


def length(size: int, masked: bool = True) -> bytes:
    bit = 0x80 if masked else 0
    if size < 126:
        return bytes([bit | size])
    return struct.pack("!BH", bit | 126, size) if size < 65536 else struct.pack("!BQ", bit | 127, size)


def mask(data: bytes) -> bytes:
    key = zlib.crc32(data).to_bytes(4, "big")  # not random: it stands in the names of parametrized tests
    repeated = (key * (len(data) // 4 + 1))[: len(data)]
    return key + (int.from_bytes(data, "big") ^ int.from_bytes(repeated, "big")).to_bytes(len(data), "big")


def close_frame(code: int | None = 1000, reason: bytes = b"") -> bytes:
    return frame(b"" if code is None else struct.pack("!H", code) + reason, CLOSE)


class RawBrowser:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, address: Any, receive_buffer: int | None = None) -> "RawBrowser":
        if isinstance(address, str):
            return cls(*await asyncio.open_unix_connection(address))
        sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(sock, address)
        except OSError:
            sock.close()
            raise
        return cls(*await asyncio.open_connection(sock=sock))

    @classmethod
    async def open(cls, address: Any, *lines: str, path: str = "/websocket/", **options: Any) -> "RawBrowser":
        """A websocket whose 101 has been read."""
        browser = await cls.connect(address, **options)
        browser.send(handshake(path, *lines))
        head = await browser.read_head()
        assert head.startswith("HTTP/1.1 101 "), head
        return browser

    def send(self, *data: bytes) -> None:
        self.writer.write(b"".join(data))

    async def read_head(self) -> str:
        async with asyncio.timeout(HANG):
            return (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")

    async def read_response(self) -> tuple[int, str, str]:
        """Status, head and body of a response with a length."""
        head = await self.read_head()
        size = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
        async with asyncio.timeout(HANG):
            body = await self.reader.readexactly(size)
        return int(head.split(" ")[1]), head, body.decode()

    async def read_frame(self) -> tuple[int, bytes]:
        """Opcode and payload of the next frame; servers send whole, unmasked ones."""
        async with asyncio.timeout(HANG):
            first, second = await self.reader.readexactly(2)
            assert first & 0x80
            assert second < 0x80
            size = second
            if second == 126:
                (size,) = struct.unpack("!H", await self.reader.readexactly(2))
            elif second == 127:
                (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
            return first & 0x0F, await self.reader.readexactly(size)

    async def read_text(self) -> str:
        opcode, payload = await self.read_frame()
        assert opcode == TEXT, (opcode, payload)
        return payload.decode()

    async def read_close(self) -> int | None:
        """The code of the CLOSE that comes next, after any other frames; None: it has none."""
        while True:
            opcode, payload = await self.read_frame()
            if opcode == CLOSE:
                return struct.unpack("!H", payload[:2])[0] if payload else None

    async def read_to_end(self) -> bytes:
        async with asyncio.timeout(HANG):
            return await self.reader.read()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    def reset(self) -> None:
        """Ends the connection with an RST."""
        reset_at_close(self.writer.get_extra_info("socket"))
        self.writer.transport.abort()


async def open_browser(serving: Serving, *lines: str) -> RawBrowser:
    """One that has been told who it is."""
    browser = await RawBrowser.open(serving.address, *lines)
    assert "accept" in await browser.read_text()
    return browser


def subscription(groups: Any, **more: Any) -> bytes:
    return frame(json.dumps({"groups": groups, **more}))


async def subscribe(browser: RawBrowser, groups: Any) -> dict[str, list[str]]:
    browser.send(subscription(groups))
    reply: dict[str, list[str]] = json.loads(await browser.read_text())
    return reply
