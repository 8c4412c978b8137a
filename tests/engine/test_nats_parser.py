"""What a server of NATS says, in whatever pieces it comes, and what none says."""

from typing import Any

import pytest
from awxfast.engine import nats_parser
from awxfast.engine.nats_parser import NatsParser
from nats.errors import ProtocolError


class Heard:
    """What the parser tells, in order."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.reasons: list[str] = []

    def hear(self, number: int, message: bytes) -> None:
        self.told.append((number, message))

    def learn(self, info: dict[str, Any]) -> None:
        self.told.append(info)

    def note_ping(self) -> None:
        self.told.append("ping")

    def note_pong(self) -> None:
        self.told.append("pong")

    def note_complaint(self, text: str) -> None:
        self.told.append(text)

    def end(self, reason: str) -> None:
        self.reasons.append(reason)


SAID = (
    b"MSG awxfast.wants 7 5\r\nhello\r\nPING\r\n+OK\r\nMSG a.b 8 _INBOX.x 0\r\n\r\nPONG\r\n"
    b'INFO {"max_payload": 5}\r\n'
    b"HMSG a 7 12 17\r\nNATS/1.0\r\n\r\nMSG 9\r\nHMSG a 7 reply 12 12\r\nNATS/1.0\r\n\r\n\r\n"
    b"-ERR 'Permissions Violation for Publish to \"x\"'\r\nMSG a 1 9\r\n\r\nPING\r\nx\r\n"
)
TOLD = [
    (7, b"hello"),
    "ping",
    (8, b""),
    "pong",
    {"max_payload": 5},
    (7, b"MSG 9"),
    (7, b""),
    'Permissions Violation for Publish to "x"',
    (1, b"\r\nPING\r\nx"),
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 10_000])
async def test_all_is_told_in_whatever_pieces_it_comes(size: int) -> None:
    heard = Heard()
    parser = NatsParser(heard)
    for begin in range(0, len(SAID), size):
        await parser.parse(SAID[begin : begin + size])
    assert heard.told == TOLD


@pytest.mark.parametrize(
    "said",
    [
        b"nonsense\r\n",
        b"\r\n",
        b"MSG a 1\r\n",
        b"MSG a b c d e f\r\n",
        b"MSG a x 5\r\n",
        b"MSG a 1 -5\r\n",
        b"MSG a 1 67108865\r\n",
        b"MSG a 1 " + b"9" * 6_000 + b"\r\n",
        b"MSG a 1 1\r\nxyz\r\n",
        b"HMSG a 1 9 5\r\n12345\r\n",
        b"HMSG a 1 -1 5\r\n12345\r\n",
        b"INFO []\r\n",
        b"INFO {x}\r\n",
        b"INFO\r\n",
        b"INFO \xff\r\n",
        b'INFO {"max_payload": ' + b"9" * 6_000 + b"}\r\n",
        b"INFO " + b"[" * 60_000 + b"\r\n",
        b"INFO " + b"x" * 70_000,
        b"MSG " + b" " * 70_000 + b"\r\n",
        b"+OK\r\n" * 60_000,
        b"PONG\r\n" * 60_000,
        b"INFO {}\r\n" * 600,
        b"-ERR 'x'\r\n" * 60_000,
    ],
)
async def test_what_no_server_says_ends_the_connection(said: bytes) -> None:
    heard = Heard()
    parser = NatsParser(heard)
    with pytest.raises(ProtocolError):
        for begin in range(0, len(said), 32_768):
            await parser.parse(said[begin : begin + 32_768])
    (reason,) = heard.reasons
    assert reason.startswith("it answers out of protocol: ") and len(reason) < 100 and reason.isprintable()


async def test_lines_that_bring_no_message_may_come_all_day(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(nats_parser.time, "monotonic", lambda: now)
    parser = NatsParser(Heard())
    for _ in range(100):
        now += 1.0
        await parser.parse(b"PING\r\n" * 1_000)
