"""Connections of the process before this one are taken over."""

import asyncio
import socket

import pytest
from serving import Serving


class TestTakenOver:
    async def test_one_that_can_not_be_read_is_lost(self, serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
        class Losing(asyncio.Protocol):
            lost: Exception | None = None

            def connection_lost(self, exc: Exception | None) -> None:
                self.lost = exc

        protocol, sock = Losing(), socket.socket()
        sock.close()
        serving.server.adopt(sock, protocol)
        assert isinstance(protocol.lost, OSError)
        assert "a client is lost, it can't be taken over" in caplog.text
