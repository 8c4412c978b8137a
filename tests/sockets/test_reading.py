"""Turns of reading: what one client sends at once is taken in pieces, and waits while its session takes no more."""

import asyncio
import json
import struct
from collections.abc import Sequence
from typing import Any

import pytest
from awxfast._rust import Fanout
from awxfast.settings import Settings
from awxfast.sockets.clients import Clients
from awxfast.sockets.node_seat import NodeSeat
from awxfast.sockets.reading import ReadingSide
from awxfast.turns import Turns
from raw_browser import CLOSE, PING, PONG, close_frame, frame, open_browser
from serving import HANG, Serving

SUBSCRIBE = '{"groups": {"jobs": ["summary"]}}'


class TestTurns:
    """What one client sends at once is taken in pieces, with everybody else's turn between."""

    async def test_command_of_another_comes_before_the_end_of_a_flood(
        self, serving: Serving, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        flooding, browser = await open_browser(serving), await open_browser(serving)
        left, hold = [], serving.groups.hold_at_once

        def note(groups: Sequence[str]) -> bool:
            left.append(flooding.writer.transport.get_write_buffer_size())
            return hold(groups)

        monkeypatch.setattr(serving.groups, "hold_at_once", note)
        flooding.send(frame("", PONG) * 2_000_000)
        browser.send(frame(SUBSCRIBE))
        assert "groups_current" in await browser.read_text()
        assert left[0] > 0
        flooding.reset()
        await browser.close()

    async def test_all_of_it_is_served_in_order(self, serving: Serving) -> None:
        browser = await open_browser(serving)
        commands = [f'{{"groups": {{"job_events": [{number}]}}}}' for number in range(1, 501)]
        browser.send(*map(frame, commands), frame("last", PING))
        frames = [await browser.read_frame() for _ in range(501)]
        frames.remove((PONG, b"last"))
        joined = [json.loads(payload)["groups_current"] for _, payload in frames]
        assert joined == [[f"job_events-{number}"] for number in range(1, 501)]
        await browser.close()

    async def test_code_of_a_close_behind_a_flood_is_echoed(self, serving: Serving) -> None:
        browser = await open_browser(serving)
        browser.send(frame("", PONG) * 50_000, close_frame(4321))
        browser.writer.write_eof()
        assert await browser.read_close() == 4321
        await browser.close()

    async def test_ping_ahead_of_a_close_is_answered_first(self, serving: Serving) -> None:
        browser = await open_browser(serving)
        browser.send(frame("before", PING), close_frame(4000), frame("behind", PING))
        assert await browser.read_frame() == (PONG, b"before")
        assert await browser.read_frame() == (CLOSE, struct.pack("!H", 4000))
        await browser.close()

    async def test_nothing_but_the_answer_to_a_close_of_ours_is_found_behind_it(self, serving: Serving) -> None:
        browser = await open_browser(serving)
        closing = asyncio.create_task(serving.server._clients.close_all(1001, 0.0, HANG))
        assert await browser.read_close() == 1001
        browser.send(frame("{}") * 10_000, frame("?", PING) * 10_000, close_frame(1001))
        assert await browser.read_to_end() == b""
        await closing
        await browser.close()

    async def test_message_in_more_than_1024_empty_fragments_is_1009(self, serving: Serving) -> None:
        browser = await open_browser(serving)
        browser.send(frame(SUBSCRIBE, final=False), frame("", 0, final=False) * 1023, frame("", 0))
        assert "groups_current" in await browser.read_text()
        browser.send(frame(SUBSCRIBE, final=False), frame("", 0, final=False) * 1025)
        assert await browser.read_close() == 1009
        await browser.close()


class HalfReader(ReadingSide):
    """Decodes a byte a turn."""

    __slots__ = ("decoded", "turns")

    def __init__(self, turns: Turns | None = None) -> None:
        super().__init__(self)
        self.turns = turns or Turns(1)
        self.decoded: list[bytes] = []

    def now(self) -> float:
        return 1.0

    def _decode(self, decoder: Any, data: bytes) -> bool:
        decoder.unread += data
        self.decoded.append(decoder.unread[:1])
        decoder.unread = decoder.unread[1:]
        return bool(decoder.unread)


class Decoder:
    def __init__(self) -> None:
        self.unread = b""

    @property
    def has_unread(self) -> bool:
        return bool(self.unread)


class Transport:
    """Is read, or not."""

    def __init__(self) -> None:
        self.reading = True

    def is_reading(self) -> bool:
        return self.reading

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


async def pass_turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def make(decoder: Decoder | None, turns: Turns | None = None) -> tuple[HalfReader, Transport]:
    reader, transport = HalfReader(turns), Transport()
    reader._decoder = decoder  # type: ignore[assignment]
    reader.connection_made(transport)  # type: ignore[arg-type]
    return reader, transport


class TestSharing:
    """A flood of many: each has a piece a turn, and each turn so many pieces."""

    async def test_turn_goes_on_with_so_many_clients(self) -> None:
        turns = Turns(4)
        readers = [make(Decoder(), turns)[0] for _ in range(10)]
        for reader in readers:
            reader.data_received(b"abc")
        counts, before = [], 10
        while before < 30:
            await asyncio.sleep(0)
            decoded = sum(len(reader.decoded) for reader in readers)
            counts.append(decoded - before)
            before = decoded
        assert max(counts) <= 8, "those who waited for one turn, and those of the next who need not wait"
        assert all(reader.decoded == [b"a", b"b", b"c"] for reader in readers)

    async def test_client_that_is_gone_has_no_turn(self) -> None:
        turns = Turns(1)
        gone, _ = make(Decoder(), turns)
        other, _ = make(Decoder(), turns)
        gone.data_received(b"ab")
        other.data_received(b"ab")
        gone._transport = None
        await pass_turns()
        assert (gone.decoded, other.decoded) == ([b"a"], [b"a", b"b"])

    def test_nodes_have_turns_of_their_own(self) -> None:
        clients: Any = Clients(Fanout(threads=1), Settings())
        assert NodeSeat(clients, notices=True, max_message_size=1).turns is not clients.turns
        clients.fanout.stop()


class TestHolding:
    async def test_a_turns_rest_waits_for_the_next_and_is_not_read_on_before(self) -> None:
        reader, transport = make(Decoder())
        reader.data_received(b"abc")
        assert (reader.decoded, transport.reading) == ([b"a"], False)
        await pass_turns()
        assert (reader.decoded, transport.reading) == ([b"a", b"b", b"c"], True)

    async def test_what_is_held_back_is_decoded_when_it_is_let_go(self) -> None:
        reader, transport = make(Decoder())
        reader.data_received(b"ab")
        reader.pause_reading()
        await pass_turns()
        assert (reader.decoded, transport.reading, reader.is_reading) == ([b"a"], False, False)
        reader.resume_reading()
        await pass_turns()
        assert (reader.decoded, transport.reading, reader.is_reading) == ([b"a", b"b"], True, True)

    async def test_nothing_is_decoded_before_there_is_a_decoder(self) -> None:
        reader, transport = make(None)
        reader.data_received(b"a")
        reader.data_received(b"b")
        assert (reader._held, reader.decoded, transport.reading) == (b"ab", [], False)
