"""The fan-out as Python sees it: arguments, news on a loop's descriptor, books. Its behaviour is tested in Rust."""

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator

import msgpack
import pytest
from awxfast import _rust
from awxfast._rust import EntryFormat, Fanout

HANG = 20.0


@pytest.fixture
def fanout() -> Iterator[Fanout]:
    fanout = Fanout(threads=2)
    yield fanout
    fanout.stop()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair()
    near.setblocking(False)
    far.settimeout(HANG)
    with near, far:
        yield near, far


def member(channel: str, text: str, kind: str = "internal.message") -> bytes:
    return b"\0" * 12 + msgpack.packb({"type": kind, "text": text, "__asgi_channel__": [channel]})


class TestPublish:
    def test_publish_batch_takes_what_a_pop_gave(
        self, fanout: Fanout, pair: tuple[socket.socket, socket.socket]
    ) -> None:
        near, far = pair
        client = fanout.attach(near.fileno())
        fanout.add_channel("g.jobs-summary", "jobs-summary")
        fanout.subscribe(client, ["jobs-summary"], [], b"reply")
        scores = [b"1795561314.1431942", "1795561314.2", time.time()]
        fanout.publish_batch([[member("p!g.jobs-summary", "é"), score] for score in scores])
        wanted = b"\x81\x05reply" + b"\x81\x02\xc3\xa9" * 3
        received = b""
        while len(received) < len(wanted):
            received += far.recv(4096)
        assert received == wanted
        assert fanout.groups_of(client) == ["jobs-summary"]

    def test_greeting_that_left_with_the_answer_to_a_handshake_counts_as_written(
        self, fanout: Fanout, pair: tuple[socket.socket, socket.socket]
    ) -> None:
        fanout.attach(pair[0].fileno(), greeted=True)
        ledger = fanout.ledger()
        assert (ledger["frames"]["queued"], ledger["frames"]["written"], ledger["balance"]["frames"]) == (1, 1, 0)

    def test_event_age_is_the_time_since_the_producers_score(
        self, fanout: Fanout, pair: tuple[socket.socket, socket.socket]
    ) -> None:
        near, far = pair
        client = fanout.attach(near.fileno())
        fanout.add_channel("g.a", "a")
        fanout.subscribe(client, ["a"], [])
        fanout.publish_batch([[member("p!g.a", "x"), b"%f" % (time.time() - 3)]])
        far.recv(10)
        deadline = time.monotonic() + HANG
        while not sum((age := fanout.metrics()["event_age"])["counts"]):
            assert time.monotonic() < deadline
        assert age["counts"][age["bounds"].index(10.0)] == 1
        assert 3 <= age["sum"] < 3 + HANG

    @pytest.mark.parametrize("score", [b"-inf", b"inf", b"nan", float("-inf"), b"-1.7e308"])
    def test_score_that_is_no_time_costs_neither_the_event_nor_the_sum_of_ages(
        self, fanout: Fanout, pair: tuple[socket.socket, socket.socket], score: bytes | float
    ) -> None:
        near, far = pair
        client = fanout.attach(near.fileno())
        fanout.add_channel("g.a", "a")
        fanout.subscribe(client, ["a"], [])
        fanout.publish_batch([[member("p!g.a", "x"), score], [member("p!g.a", "y"), score]])
        received = b""
        while len(received) < 6:
            received += far.recv(10)
        assert received == b"\x81\x01x\x81\x01y"
        deadline = time.monotonic() + HANG
        while (age := fanout.metrics()["event_age"])["odd"] < 2:
            assert time.monotonic() < deadline
        assert (age["sum"], sum(age["counts"])) == (0, 0)

    def test_entries_of_a_list_have_no_age(self, pair: tuple[socket.socket, socket.socket]) -> None:
        near, far = pair
        fanout = Fanout(entry_format=EntryFormat(prefix_length=0))
        client = fanout.attach(near.fileno())
        fanout.add_channel("g.a", "a")
        fanout.subscribe(client, ["a"], [])
        fanout.publish_batch([member("p!g.a", text)[12:] for text in "xy"])
        received = b""
        while len(received) < 6:
            received += far.recv(10)
        deadline = time.monotonic() + HANG
        while fanout.metrics()["event_age"]["odd"] < 2:
            assert time.monotonic() < deadline
        fanout.stop()
        assert received == b"\x81\x01x\x81\x01y"
        assert fanout.ledger()["events"]["rejected"] == {}

    @pytest.mark.parametrize("batch", [["no pair"], [[b"one"]], [["text", b"1"]], [[b"member", b"no number"]]])
    def test_answer_of_another_shape_raises_and_publishes_nothing(self, fanout: Fanout, batch: list[object]) -> None:
        with pytest.raises((TypeError, ValueError, IndexError)):
            fanout.publish_batch(batch)
        assert fanout.ledger()["events"]["in"] == 0

    def test_gil_is_free_while_a_batch_is_published(self, fanout: Fanout) -> None:
        """Another thread gets on with its work during large batches."""
        batch = [[member("p!g.a", "x" * 4000, "other"), b"0"] for _ in range(20_000)]
        turns = 0
        stop = threading.Event()

        def count() -> None:
            nonlocal turns
            while not stop.is_set():
                turns += 1

        thread = threading.Thread(target=count)
        thread.start()
        before = turns
        for _ in range(5):
            fanout.publish_batch(batch)
        stop.set()
        thread.join()
        assert turns > before
        assert fanout.ledger()["events"]["rejected"] == {"unknown_type": 100_000}


class TestNews:
    async def test_loop_hears_of_a_dead_socket(self, fanout: Fanout, pair: tuple[socket.socket, socket.socket]) -> None:
        near, far = pair
        client = fanout.attach(near.fileno())
        heard = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(fanout.news_fd, heard.set)
        far.close()
        fanout.send_text(client, b"into the void")
        fanout.send_text(client, b"once more")
        await asyncio.wait_for(heard.wait(), HANG)
        loop.remove_reader(fanout.news_fd)
        assert fanout.take_news(100) == [(client, _rust.NEWS_DEAD)]
        assert fanout.take_news(100) == []


class TestWakes:
    async def test_a_turns_commands_wake_the_thread_once_and_in_order(
        self, fanout: Fanout, pair: tuple[socket.socket, socket.socket]
    ) -> None:
        near, far = pair
        turn: list[Callable[[], None]] = []
        fanout.defer_wakes(turn.append)
        client = fanout.attach(near.fileno())
        fanout.subscribe(client, ["a"], [], b"first")
        fanout.send_text(client, b"second")
        fanout.close(client, 1000)
        assert turn == [fanout.wake]
        turn.pop()()
        assert far.makefile("rb").read() == b"\x81\x05first\x81\x06second\x88\x02\x03\xe8"

    def test_newcomers_of_a_turn_are_taken_in_together(
        self, fanout: Fanout, pair: tuple[socket.socket, socket.socket]
    ) -> None:
        turn: list[Callable[[], None]] = []
        fanout.defer_wakes(turn.append)
        for end in pair:
            fanout.attach(end.fileno())
        assert turn == [fanout.wake]

    async def test_event_waits_for_no_turn(self, fanout: Fanout, pair: tuple[socket.socket, socket.socket]) -> None:
        near, far = pair
        fanout.defer_wakes([].append)
        fanout.add_channel("g.a", "a")
        fanout.subscribe(fanout.attach(near.fileno()), ["a"], [])
        fanout.publish_batch([[member("p!g.a", "x"), b"0"]])
        assert far.recv(10) == b"\x81\x01x"

    def test_loop_that_is_closed_defers_nothing(
        self, fanout: Fanout, pair: tuple[socket.socket, socket.socket]
    ) -> None:
        near, far = pair
        loop = asyncio.new_event_loop()
        fanout.defer_wakes(loop.call_soon)
        loop.close()
        fanout.send_text(fanout.attach(near.fileno()), b"x")
        assert far.recv(10) == b"\x81\x01x"

    def test_only_one_loop_wakes(self, fanout: Fanout) -> None:
        fanout.defer_wakes([].append)
        with pytest.raises(ValueError, match="deferred already"):
            fanout.defer_wakes([].append)


class TestDiscard:
    def test_clients_that_another_process_has_get_nothing_from_here_and_their_end_is_not_kept_from_them(
        self, fanout: Fanout, pair: tuple[socket.socket, socket.socket]
    ) -> None:
        """One has a queue, which goes out as soon as its socket takes more: not from here."""
        near, far = pair
        clients = [fanout.attach(near.fileno()) for _ in range(3)]
        fanout.send_binary(clients[0], b"x" * 4_000_000)
        os.close(fanout.freeze())
        sent = drain(far)
        assert 0 < len(sent) < 4_000_000
        fanout.discard()
        near.close()
        assert far.recv(1) == b""
        for client in clients:
            fanout.detach(client)


def drain(sock: socket.socket) -> bytes:
    """All that is there now."""
    received = bytearray()
    sock.setblocking(False)
    while True:
        try:
            received += sock.recv(65536)
        except BlockingIOError:
            sock.settimeout(HANG)
            return bytes(received)


class TestArgument:
    @pytest.mark.parametrize("options", [{"threads": 0}, {"threads": 256}, {"slow_client": "punish"}])
    def test_constructor_refuses_what_makes_no_sense(self, options: dict[str, object]) -> None:
        with pytest.raises(ValueError, match="must be"):
            Fanout(**options)

    def test_attach_refuses_what_is_no_descriptor(self, fanout: Fanout) -> None:
        with pytest.raises(OSError):
            fanout.attach(-1)
        with pytest.raises(OSError):
            fanout.attach(1_000_000)

    def test_calls_for_a_client_that_is_gone_do_nothing(
        self, fanout: Fanout, pair: tuple[socket.socket, socket.socket]
    ) -> None:
        client = fanout.attach(pair[0].fileno())
        fanout.detach(client)
        fanout.detach(client)
        fanout.send_text(client, b"x")
        fanout.send_ping(client, b"")
        fanout.close(client, 1001)
        fanout.subscribe(client, ["a"], [], b"x")
        assert fanout.groups_of(client) == []
        assert fanout.ledger()["clients"] == 0

    def test_gaps_are_counted_by_reason(self, fanout: Fanout) -> None:
        fanout.count_gap("pop_broken", 256)
        fanout.count_gap("pop_broken", 256)
        assert fanout.ledger()["gaps"] == {"pop_broken": {"times": 2, "at_most": 512}}

    def test_sum_of_what_an_engine_may_invent_stays_a_number_of_json(self, fanout: Fanout) -> None:
        for _ in range(3):
            fanout.count_gap("engine_missed", 2**63)
        assert fanout.ledger()["gaps"] == {"engine_missed": {"times": 3, "at_most": 2**53}}

    def test_stop_may_be_called_twice(self, fanout: Fanout) -> None:
        fanout.stop()
        fanout.stop()
