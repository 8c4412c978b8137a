"""What a peer may do to a link, dialler's end: frames by the rules, frames against them, and floods of them."""

import asyncio
import time

import pytest
from awxfast.broadcast import dialled_link, fragments
from awxfast.broadcast.dial_attempt import Caller
from awxfast.broadcast.dialled_link import DialledLink
from awxfast.broadcast.era import Era
from awxfast.broadcast.link_counts import LinkCounts
from awxfast.broadcast.paced_reading import CHUNK, TURN_FRAMES
from awxfast.broadcast.target import Target
from broadcast.flooding_peer import (
    BINARY,
    EMPTY_FRAGMENTS,
    FIN,
    KINDS,
    PING,
    PONG,
    TEXT,
    FloodingPeer,
    flood,
    write_once,
)
from peer_server import HANG, until


class Taker:
    def __init__(self) -> None:
        self.texts: list[bytes] = []

    def receive_text(self, payload: bytes) -> None:
        self.texts.append(payload)


class Counting:
    """Takes what comes, and keeps nothing."""

    def __init__(self) -> None:
        self.texts = 0

    def receive_text(self, _: bytes) -> None:
        self.texts += 1


async def dial(peer: FloodingPeer, taker: dialled_link.FrameTaker) -> DialledLink:
    caller = Caller("http", lambda: "the secret", None)
    return await caller.dial(
        Target.of("http", "127.0.0.1", peer.port), Era.RELAY, lambda redis: DialledLink(taker, LinkCounts(), redis)
    )


async def reason_of(data: bytes, taker: dialled_link.FrameTaker | None = None) -> str:
    """Why the link ended after this."""
    async with FloodingPeer(write_once(data)) as peer, asyncio.timeout(HANG):
        link = await dial(peer, taker or Taker())
        return await link.wait_closed()


class TestFragments:
    async def test_1024_fragments_are_a_message(self) -> None:
        taker = Taker()
        data = bytes((TEXT, 1)) + b"[" + 1_022 * bytes(2) + bytes((FIN, 1)) + b"]" + bytes((FIN | 0x8, 0))
        await reason_of(data, taker)
        assert taker.texts == [b"[]"]

    async def test_one_more_ends_the_link(self) -> None:
        taker = Taker()
        data = bytes((TEXT, 1)) + b"[" + 1_023 * bytes(2) + bytes((FIN, 1)) + b"]"
        assert "1024 fragments" in await reason_of(data, taker)
        assert not taker.texts

    async def test_40000_empty_ones_cost_no_more_than_as_many_other_frames(self) -> None:
        """Adding up what there is at each of them is 800,000,000 additions."""
        used = time.process_time()
        assert "1024 fragments" in await reason_of(EMPTY_FRAGMENTS)
        assert time.process_time() - used < 2

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(bytes((0x00, 0)), id="a fragment that continues nothing"),
            pytest.param(bytes((FIN, 2)) + b"{}", id="a last fragment that continues nothing"),
            pytest.param(bytes((TEXT, 1)) + b"{" + bytes((FIN | TEXT, 2)) + b"{}", id="a message within another"),
            pytest.param(bytes((FIN | TEXT | 0x40, 2)) + b"{}", id="a reserved bit"),
        ],
    )
    async def test_what_rfc_6455_forbids_ends_the_link(self, data: bytes) -> None:
        taker = Taker()
        assert "broke the protocol" in await reason_of(data, taker)
        assert not taker.texts

    async def test_message_in_fragments_is_bounded_as_a_whole(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(fragments, "MAX_MESSAGE", 3)
        assert "more than 3 bytes" in await reason_of(bytes((TEXT, 2)) + b"{ " + bytes((FIN, 2)) + b" }")

    async def test_binary_message_in_fragments_is_skipped(self) -> None:
        taker = Taker()
        binary = bytes((0x02, 1)) + b"a" + bytes((FIN, 1)) + b"b"
        await reason_of(binary + bytes((FIN | TEXT, 2)) + b"{}" + bytes((FIN | 0x8, 0)), taker)
        assert taker.texts == [b"{}"]


class TestPings:
    async def answers_to(self, count: int) -> list[int]:
        """The payloads of the pongs to so many pings in one write."""
        numbers = asyncio.get_running_loop().create_future()

        async def misdeed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"".join(bytes((FIN | PING, 2)) + number.to_bytes(2) for number in range(count)))
            pongs: list[int] = []
            while not pongs or pongs[-1] != count - 1:
                frame = await reader.readexactly(8)
                assert frame[:2] == bytes((FIN | PONG, 0x82))
                pongs.append(int.from_bytes(frame[6:]) ^ int.from_bytes(frame[2:4]))
            numbers.set_result(pongs)

        async with FloodingPeer(misdeed) as peer, asyncio.timeout(HANG):
            link = await dial(peer, Taker())
            pongs: list[int] = await numbers
            link.abort()
        return pongs

    async def test_ten_in_one_write_get_ten_answers_in_order(self) -> None:
        assert await self.answers_to(10) == list(range(10))

    async def test_past_64_the_newest_is_answered(self) -> None:
        pongs = await self.answers_to(2_000)
        assert pongs == sorted(pongs)
        assert len(pongs) < 2_000

    async def test_peer_that_reads_no_answers_costs_no_memory(self) -> None:
        async with FloodingPeer(flood(KINDS["pings with payloads"])) as peer:
            link = await dial(peer, Taker())
            assert link._transport is not None
            transport = link._transport.underlying_transport
            begun = time.monotonic()
            while time.monotonic() - begun < 1:
                await asyncio.sleep(0.01)
                assert transport.get_write_buffer_size() < 2 * dialled_link.HIGH_WATER
            link.abort()
            await link.wait_closed()


class TestFlood:
    @pytest.mark.parametrize("kind", KINDS)
    async def test_others_have_their_turn(self, kind: str) -> None:
        """What a turn brings is counted, since time is the machine's."""
        taker = Counting()
        async with FloodingPeer(flood(KINDS[kind])) as peer:
            link = await dial(peer, taker)
            most = 0
            for _ in range(200):
                before = link.frames
                await asyncio.sleep(0)
                most = max(most, link.frames - before)
            assert most <= TURN_FRAMES + CHUNK // 2
            link.abort()
            await link.wait_closed()

    async def test_nothing_is_taken_of_a_peer_that_is_being_left(self) -> None:
        taker = Counting()
        async with FloodingPeer(flood(KINDS["empty objects"])) as peer:
            link = await dial(peer, taker)
            await until(lambda: taker.texts)
            link.close()
            await asyncio.sleep(0)
            before = taker.texts
            await asyncio.sleep(0.2)
            assert taker.texts == before
            link.abort()
            await link.wait_closed()

    async def test_answer_of_a_peer_whose_events_are_another_links_is_heard(self) -> None:
        """After a reload what was sent must have been read; what comes is the new process's."""
        go_on, length = asyncio.Event(), len(dialled_link.FLUSH_PING)

        async def misdeed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await go_on.wait()
            writer.write(bytes((FIN | TEXT, 2)) + b"{}" + bytes((FIN | BINARY, 0)))
            ping = await reader.readexactly(6 + length)
            payload = bytes(byte ^ ping[2 + place % 4] for place, byte in enumerate(ping[6:]))
            writer.write(bytes((FIN | PONG, length)) + payload)
            await asyncio.sleep(HANG)

        taker = Taker()
        async with FloodingPeer(misdeed) as peer, asyncio.timeout(HANG):
            link = await dial(peer, taker)
            for reason in ("crowd", "left"):
                link.hold_reading(reason, True)
            go_on.set()
            link.drop_received()
            link.hold_reading("crowd", True)
            await link.flushed()
            assert (taker.texts, link.frames) == ([], 3)
            assert (link._counts.received, link._counts.skipped) == (0, {})
            link.abort()
            await link.wait_closed()

    @pytest.mark.parametrize("end", ["by us", "by its fault", "half-closed"])
    async def test_peer_that_takes_no_goodbye_is_cut_off(self, end: str) -> None:
        """What waits for it never goes out, so that an orderly close would never end."""
        go_on = asyncio.Event()

        async def misdeed(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await go_on.wait()
            if end == "by its fault":
                writer.write(bytes((0x83, 0)))
            elif end == "half-closed":
                writer.write_eof()
            await asyncio.sleep(HANG)

        async with FloodingPeer(misdeed) as peer, asyncio.timeout(HANG / 2):
            link = await dial(peer, Counting())
            assert link._transport is not None
            link._transport.underlying_transport.write(bytes(50_000_000))
            go_on.set()
            if end == "by us":
                link.close()
            await link.wait_closed()
