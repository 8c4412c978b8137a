"""The carrier and servers that say what real ones seldom say, or never."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable

import hiredis
import pytest
from awxfast.engine import cluster_return, cluster_topology, troubles
from awxfast.engine.address import EngineAddress
from awxfast.engine.cluster_map import find_slot
from awxfast.engine.cluster_server import ClusterServer, ServerOwner
from awxfast.engine.redis_cluster import RedisClusterCarrier
from awxfast.redis import cluster_push_connection
from awxfast.redis.address import RedisAddress
from awxfast.redis.unfinished_replies import UnfinishedReplies
from carrier_traffic import Hearing, until

CHANNEL = "awxfast:group:jobs-1"
RULE = (
    "on every server: ACL SETUSER default &awxfast:* +ping +cluster|info +cluster|slots +spublish +ssubscribe "
    "+sunsubscribe"
)
Words = list[bytes]
SILENCE = b""


class ScriptedServer:
    """Answers as a server that has all slots, but for what `special` answers in its place."""

    def __init__(self) -> None:
        self.said: list[Words] = []
        self.special: Callable[[Words], bytes | None] = lambda words: None
        self.epoch = 1
        self.owner = 0
        self.port = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.owner = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self.hang_up()
        await self._server.wait_closed()
        await asyncio.sleep(0.01)

    def hang_up(self) -> None:
        """On everybody; who comes again is let in."""
        for writer in self._writers:
            writer.transport.abort()

    def count(self, command: bytes) -> int:
        return sum(words[0] == command for words in self.said)

    def push(self, data: bytes) -> None:
        """To everybody."""
        for writer in self._writers:
            writer.write(data)

    def answer_once(self, words: Words, owner: int) -> bytes | None:
        """Names another owner this one time."""
        if words != [b"CLUSTER", b"SLOTS"]:
            return None
        usual, self.owner = self.owner, owner
        told = self._answer(words)
        self.owner = usual
        self.special = lambda words: None
        return told

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        commands = hiredis.Reader()
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                commands.feed(data)
                while (words := commands.gets()) is not False:
                    self.said.append(words)
                    said = self.special(words)
                    writer.write(self._answer(words) if said is None else said)
        self._writers.discard(writer)
        writer.close()

    def _answer(self, words: Words) -> bytes:
        match words:
            case [b"CLUSTER", b"INFO"]:
                return bulk(b"cluster_state:ok\r\ncluster_current_epoch:%d\r\n" % self.epoch)
            case [b"CLUSTER", b"SLOTS"]:
                owner = b"*2\r\n" + bulk(b"127.0.0.1") + b":%d\r\n" % self.owner
                return b"*1\r\n*3\r\n:0\r\n:16383\r\n" + owner
            case [b"SPUBLISH", *_]:
                return b":1\r\n"
            case [b"SSUBSCRIBE" | b"SUNSUBSCRIBE" as command, channel]:
                return answer(command.lower(), channel)
            case [b"ASKING"]:
                return b"+OK\r\n"
        return b"+PONG\r\n"


def bulk(text: bytes) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(text), text)


def answer(kind: bytes, channel: bytes) -> bytes:
    return b"*3\r\n" + bulk(kind) + bulk(channel) + b":1\r\n"


NO_NAME = b"*3\r\n" + bulk(b"smessage") + b"*0\r\n" + bulk(b"x")
NO_TEXT = b"*3\r\n" + bulk(b"smessage") + bulk(CHANNEL.encode()) + b":5\r\n"


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    scripted = ScriptedServer()
    await scripted.start()
    yield scripted
    await scripted.stop()


other = server


@pytest.fixture
async def hearing() -> Hearing:
    return Hearing()


@pytest.fixture
async def carrier(server: ScriptedServer, hearing: Hearing) -> AsyncIterator[RedisClusterCarrier]:
    running = RedisClusterCarrier(EngineAddress.parse(f"redis-cluster://127.0.0.1:{server.port}"))
    await running.start(hearing)
    await until(lambda: running.up, "it does not come up")
    yield running
    await running.stop()


class TestPublishing:
    async def test_asked_elsewhere_for_once(
        self, server: ScriptedServer, other: ScriptedServer, carrier: RedisClusterCarrier
    ) -> None:
        refused = b"-ASK %d 127.0.0.1:%d\r\n" % (find_slot(CHANNEL.encode()), other.port)
        server.special = lambda words: refused if words[0] == b"SPUBLISH" and server.count(b"SPUBLISH") < 3 else None
        carrier.publish(CHANNEL, b"1", 1)
        carrier.publish(CHANNEL, b"2", 1)
        await until(lambda: carrier.figures().published == 2, "they do not arrive")
        carrier.publish(CHANNEL, b"3", 1)
        await until(lambda: carrier.figures().published == 3, "it does not arrive")
        published = [b"ASKING", b"SPUBLISH"]
        assert [words for words in other.said if words[0] in published] == [
            [b"ASKING"],
            [b"SPUBLISH", CHANNEL.encode(), b"1"],
            [b"ASKING"],
            [b"SPUBLISH", CHANNEL.encode(), b"2"],
        ]
        assert server.count(b"SPUBLISH") == 3

    @pytest.mark.parametrize("word", ["CLUSTERDOWN", "TRYAGAIN", "LOADING"])
    async def test_tried_again_a_little_later_in_order(
        self, server: ScriptedServer, carrier: RedisClusterCarrier, hearing: Hearing, word: str
    ) -> None:
        server.special = lambda words: (
            b"-%s not now\r\n" % word.encode() if words[0] == b"SPUBLISH" and server.count(b"SPUBLISH") < 4 else None
        )
        for number in range(3):
            carrier.publish(CHANNEL, b"%d" % number, 1)
        await until(lambda: carrier.figures().published == 3, "they do not arrive")
        assert [words[2] for words in server.said if words[0] == b"SPUBLISH"][3:] == [b"0", b"1", b"2"]
        assert not hearing.lost

    async def test_what_a_later_one_has_overtaken_is_lost_not_sent_behind_it(
        self, server: ScriptedServer, carrier: RedisClusterCarrier, hearing: Hearing
    ) -> None:
        server.special = lambda words: b"-TRYAGAIN\r\n" if words[0] == b"SPUBLISH" and words[2] == b"0" else None
        carrier.publish(CHANNEL, b"0", 7)
        carrier.publish(CHANNEL, b"1", 1)
        await until(lambda: hearing.lost == {"refused": 7}, "it is not told")

    async def test_broken_connection_takes_only_what_was_on_its_way(
        self, server: ScriptedServer, carrier: RedisClusterCarrier, hearing: Hearing
    ) -> None:
        server.special = lambda words: SILENCE if words[0] == b"SPUBLISH" else None
        carrier.publish(CHANNEL, b"1", 5)
        await until(lambda: server.count(b"SPUBLISH") == 1, "it is not sent")
        carrier.publish(CHANNEL, b"2", 1)
        server.special = lambda words: None
        server.hang_up()
        await until(lambda: carrier.figures().published == 1, "what waited is not sent")
        assert hearing.lost == {"connection_broken": 5}
        assert [words[2] for words in server.said if words[0] == b"SPUBLISH"] == [b"1", b"2"]

    async def test_two_servers_that_name_each_other_are_not_asked_without_end(
        self, server: ScriptedServer, other: ScriptedServer, carrier: RedisClusterCarrier
    ) -> None:
        slot = find_slot(CHANNEL.encode())
        for one, another in ((server, other), (other, server)):
            moved = b"-MOVED %d 127.0.0.1:%d\r\n" % (slot, another.port)
            one.special = lambda words, moved=moved: moved if words[0] in (b"SPUBLISH", b"SSUBSCRIBE") else None
        carrier.publish(CHANNEL, b"1", 1)
        wanting = asyncio.create_task(carrier.subscribe([CHANNEL]))
        await asyncio.sleep(1)
        asked = sum(one.count(command) for one in (server, other) for command in (b"SPUBLISH", b"SSUBSCRIBE"))
        assert asked < 200
        server.special = lambda words: None
        await wanting
        await until(lambda: carrier.figures().published == 1, "it does not arrive")

    async def test_server_that_refuses_for_a_while_is_not_asked_without_end(
        self, server: ScriptedServer, carrier: RedisClusterCarrier
    ) -> None:
        server.special = lambda words: b"-CLUSTERDOWN not now\r\n" if words[0] == b"SPUBLISH" else None
        carrier.publish(CHANNEL, b"1", 1)
        await asyncio.sleep(1)
        assert 2 <= server.count(b"SPUBLISH") < 50
        server.special = lambda words: None
        await until(lambda: carrier.figures().published == 1, "it does not arrive")

    async def test_server_that_names_others_without_end_has_us_connect_to_so_many(
        self, server: ScriptedServer, carrier: RedisClusterCarrier, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cluster_topology, "MOST_SERVERS", 5)
        places: set[tuple[str, int]] = set()

        class Counted(ClusterServer):
            def __init__(
                self,
                access: RedisAddress,
                where: tuple[str, int],
                owner: ServerOwner,
                unfinished: UnfinishedReplies,
                begin: float,
            ) -> None:
                places.add(where)
                super().__init__(access, where, owner, unfinished, begin)

        monkeypatch.setattr(cluster_topology, "ClusterServer", Counted)
        ports = itertools.count(1)

        def name_another(words: Words) -> bytes | None:
            if words[0] != b"SPUBLISH":
                return b"-ERR no\r\n" if words[1:] == [b"SLOTS"] else None
            verb = (b"MOVED", b"ASK")[len(places) % 2]
            return b"-%s %d 127.0.0.1:%d\r\n" % (verb, find_slot(words[1]), next(ports))

        server.special = name_another
        for number in range(50):
            carrier.publish(f"{CHANNEL}{number}", b"1", 1)
        await until(lambda: server.count(b"SPUBLISH") >= 50, "they are not sent")
        await asyncio.sleep(0.5)
        assert len(places) <= 5

    async def test_owner_that_there_is_no_room_for_gets_it_once_another_server_has_gone(
        self,
        server: ScriptedServer,
        other: ScriptedServer,
        carrier: RedisClusterCarrier,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(cluster_topology, "MOST_SERVERS", 1)
        assert carrier._parts is not None
        topology = carrier._parts.topology
        topology.server(("127.0.0.1", server.port))
        server.epoch, server.owner = 5, other.port
        await until(lambda: topology.find_owner(0) == ("127.0.0.1", other.port), "the new owner is not found")
        carrier.publish(CHANNEL, b"1", 1)
        assert not carrier._is_well()
        await until(lambda: other.count(b"SPUBLISH") == 1, "it does not arrive")
        assert not set(topology.servers) - {("127.0.0.1", other.port)}


class TestRights:
    async def test_refused_message_is_trouble_for_a_while(
        self,
        server: ScriptedServer,
        carrier: RedisClusterCarrier,
        hearing: Hearing,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        server.special = lambda words: b"-NOPERM not there\r\n" if words[0] == b"SPUBLISH" else None
        for _ in range(3):
            carrier.publish(CHANNEL, b"x", 2)
        await until(lambda: hearing.lost == {"refused": 6}, "they are not refused")
        assert carrier.trouble == f"it refuses what we publish: NOPERM not there; {RULE}"
        assert carrier.up and carrier.needs_change
        assert caplog.text.count("NOPERM") == 1
        monkeypatch.setattr(troubles, "REFUSED_SECONDS", 0.0)
        assert carrier.trouble == "" and not carrier.needs_change

    async def test_look_at_the_cluster_that_is_refused_names_the_server_and_the_right(
        self, server: ScriptedServer, hearing: Hearing
    ) -> None:
        server.special = lambda words: b"-NOPERM 'cluster'\r\n" if words[0] == b"CLUSTER" else None
        carrier = RedisClusterCarrier(EngineAddress.parse(f"redis-cluster://127.0.0.1:{server.port}"))
        await carrier.start(hearing)
        place = f"Redis at redis-cluster://127.0.0.1:{server.port}"
        await until(lambda: carrier.trouble == f"{place}: NOPERM 'cluster'; {RULE}", "it is not told")
        assert carrier.needs_change
        await carrier.stop()


class TestSubscribing:
    async def test_refused_channel_is_asked_for_again(
        self, server: ScriptedServer, carrier: RedisClusterCarrier
    ) -> None:
        server.special = lambda words: (
            b"-NOPERM no such channel\r\n" if words[0] == b"SSUBSCRIBE" and server.count(b"SSUBSCRIBE") < 3 else None
        )
        await carrier.subscribe([CHANNEL])
        assert server.count(b"SSUBSCRIBE") == 3
        assert carrier.up

    async def test_right_that_is_missing_is_told_once_until_it_is_there(
        self, server: ScriptedServer, carrier: RedisClusterCarrier, caplog: pytest.LogCaptureFixture
    ) -> None:
        server.special = lambda words: b"-NOPERM no such channel\r\n" if words[0] == b"SSUBSCRIBE" else None
        wanting = asyncio.create_task(carrier.subscribe([CHANNEL]))
        told = f"some channels are not subscribed to yet: NOPERM no such channel; {RULE}"
        await until(lambda: carrier.trouble == told, "it is not told")
        assert not carrier.up and carrier.needs_change
        await until(lambda: told in caplog.text, "the log does not say it")
        await asyncio.sleep(2)
        assert caplog.text.count("NOPERM") == 1
        server.special = lambda words: None
        await wanting
        assert carrier.up and carrier.trouble == ""

    async def test_slots_that_nobody_has_are_told(self, server: ScriptedServer, carrier: RedisClusterCarrier) -> None:
        server.special = lambda words: b"*0\r\n" if words[1:] == [b"SLOTS"] else None
        server.epoch = 9
        looks = server.count(b"CLUSTER")
        await until(lambda: server.count(b"CLUSTER") > looks + 2, "it is not asked")
        wanting = asyncio.create_task(carrier.subscribe([CHANNEL]))
        await until(lambda: carrier.trouble.endswith("yet: no server has their slots"), "it is not told")
        assert not carrier.needs_change
        server.special = lambda words: None
        await wanting

    async def test_subscription_that_the_server_ends_is_taken_up_again_and_told(
        self, server: ScriptedServer, carrier: RedisClusterCarrier, hearing: Hearing
    ) -> None:
        await carrier.subscribe([CHANNEL])
        server.push(answer(b"sunsubscribe", CHANNEL.encode()))
        await until(lambda: hearing.cut == {CHANNEL: 1}, "it is not told")
        assert server.count(b"SSUBSCRIBE") == 2

    async def test_subscription_that_the_server_ends_without_end_is_asked_for_once(
        self, server: ScriptedServer, carrier: RedisClusterCarrier
    ) -> None:
        await carrier.subscribe([CHANNEL])
        server.special = lambda words: SILENCE if words[0] == b"SSUBSCRIBE" else None
        server.push(1_000 * answer(b"sunsubscribe", CHANNEL.encode()))
        await until(lambda: server.count(b"SSUBSCRIBE") > 1, "it is not asked for again")
        await asyncio.sleep(0.2)
        assert server.count(b"SSUBSCRIBE") == 2

    async def test_server_that_answers_all_but_a_subscription_is_left(
        self, server: ScriptedServer, carrier: RedisClusterCarrier, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cluster_push_connection, "ANSWER_PATIENCE", 0.2)
        server.special = lambda words: SILENCE if words[0] == b"SSUBSCRIBE" else None
        wanting = asyncio.create_task(carrier.subscribe([CHANNEL]))
        await until(lambda: server.count(b"SSUBSCRIBE") > 1, "it is not tried anew")
        server.special = lambda words: None
        await wanting

    @pytest.mark.parametrize(
        "data", [answer(b"ssubscribe", b"never asked"), b"*3\r\n:1\r\n:2\r\n:3\r\n", b"nonsense\r\n", NO_NAME, NO_TEXT]
    )
    async def test_server_out_of_protocol_costs_its_connection(
        self, server: ScriptedServer, carrier: RedisClusterCarrier, hearing: Hearing, data: bytes
    ) -> None:
        faults: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        await carrier.subscribe([CHANNEL])
        server.push(data)
        await until(lambda: hearing.cut == {CHANNEL: 1}, "it is not told")
        await until(lambda: carrier.up, "it does not come back")
        assert faults == []

    @pytest.fixture
    def narrow(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cluster_topology, "MOST_UNFINISHED", 100_000)

    async def test_unfinished_messages_of_all_servers_are_bounded_together(
        self, narrow: None, server: ScriptedServer, carrier: RedisClusterCarrier, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Those of one server are two already."""
        failures: list[str] = []
        tell = carrier.server_failed

        def note(server: ClusterServer, error: Exception) -> None:
            failures.append(str(error))
            tell(server, error)

        monkeypatch.setattr(carrier, "server_failed", note)
        await carrier.subscribe([CHANNEL])
        server.push(b"$1000000\r\n" + bytes(60_000))
        await until(lambda: bool(failures), "nobody fails")
        assert "unfinished answers have more than 100000 bytes together" in failures[0]
        await until(lambda: carrier.up, "it does not come back")

    async def test_message_of_a_channel_that_is_not_wanted_is_dropped(
        self, server: ScriptedServer, carrier: RedisClusterCarrier, hearing: Hearing
    ) -> None:
        await carrier.subscribe([CHANNEL])
        for name in (b"other", CHANNEL.encode()):
            server.push(b"*3\r\n" + bulk(b"smessage") + bulk(name) + bulk(name))
        await until(lambda: bool(hearing.messages), "nothing comes")
        assert hearing.messages == [(CHANNEL, CHANNEL.encode())]


class TestReturn:
    """Of all servers, where there is one."""

    @pytest.fixture
    async def away(self, server: ScriptedServer, carrier: RedisClusterCarrier) -> None:
        """It was away, and lets nobody subscribe."""
        await carrier.subscribe([CHANNEL])
        server.special = lambda words: b"-CLUSTERDOWN not now\r\n" if words[0] == b"SSUBSCRIBE" else None
        asked = server.count(b"SSUBSCRIBE")
        server.hang_up()
        await until(lambda: server.count(b"SSUBSCRIBE") >= asked + 2, "it is not asked")
        carrier.publish("other", b"1", 1)

    async def test_nothing_goes_out_before_all_is_subscribed_again(
        self, server: ScriptedServer, carrier: RedisClusterCarrier, hearing: Hearing, away: None
    ) -> None:
        carrier.release()
        await asyncio.sleep(0.01)
        assert (server.count(b"SPUBLISH"), hearing.returns) == (0, 0)
        server.special = lambda words: None
        await until(lambda: server.count(b"SPUBLISH") == 1, "it does not go out")
        assert (hearing.returns, hearing.cut) == (1, {CHANNEL: 1})

    async def test_who_is_told_may_have_more_wait(
        self, server: ScriptedServer, carrier: RedisClusterCarrier, hearing: Hearing, away: None
    ) -> None:
        hearing.on_return = lambda: carrier.hold(but=CHANNEL)
        server.special = lambda words: None
        await until(lambda: hearing.returns == 1, "it is not told")
        carrier.publish(CHANNEL, b"2", 1)
        await until(lambda: server.count(b"SPUBLISH") == 1, "it does not go out")
        carrier.release()
        await until(lambda: server.count(b"SPUBLISH") == 2, "it does not go out")
        assert [words[1] for words in server.said if words[0] == b"SPUBLISH"] == [CHANNEL.encode(), b"other"]

    @pytest.fixture
    def short(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cluster_return, "RETURN_SECONDS", 0.1)

    async def test_where_it_takes_too_long_events_go_to_who_is_there(
        self, server: ScriptedServer, short: None, away: None
    ) -> None:
        await until(lambda: server.count(b"SPUBLISH") == 1, "it does not go out")


class TestTopology:
    @pytest.mark.parametrize(
        "reply", [b"*0\r\n", b"-ERR no\r\n", b"$1\r\nx\r\n", b"*1\r\n*3\r\n:0\r\n:99999\r\n$1\r\nx\r\n"]
    )
    async def test_nonsense_is_trouble_and_no_end(self, hearing: Hearing, server: ScriptedServer, reply: bytes) -> None:
        server.special = lambda words: reply if words[1:] == [b"SLOTS"] else None
        carrier = RedisClusterCarrier(EngineAddress.parse(f"redis-cluster://127.0.0.1:{server.port}"))
        await carrier.start(hearing)
        wanting = asyncio.create_task(carrier.subscribe([CHANNEL]))
        await until(lambda: server.count(b"CLUSTER") >= 4, "it is not asked again")
        server.special = lambda words: None
        await wanting
        await carrier.stop()

    async def test_login_that_is_refused_from_the_start_is_said_once(
        self, hearing: Hearing, server: ScriptedServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        server.special = lambda words: b"-WRONGPASS no such user or hunter2\r\n" if words[0] == b"AUTH" else None
        carrier = RedisClusterCarrier(EngineAddress.parse(f"redis-cluster://awx:hunter2@127.0.0.1:{server.port}"))
        await carrier.start(hearing)
        await until(lambda: server.count(b"AUTH") >= 8, "it is not tried again")
        await carrier.stop()
        (line,) = caplog.messages
        assert "WRONGPASS no such user or *** (on every server user awx needs this password)" in line

    async def test_subscription_stays_where_the_cluster_names_another_owner_for_a_moment(
        self, server: ScriptedServer, other: ScriptedServer, carrier: RedisClusterCarrier, hearing: Hearing
    ) -> None:
        await carrier.subscribe([CHANNEL])
        looks = server.count(b"CLUSTER")
        server.special = lambda words: server.answer_once(words, other.port)
        await until(lambda: server.count(b"CLUSTER") >= looks + 4, "it is not asked")
        assert server.count(b"SSUBSCRIBE") == 1
        assert not hearing.cut

    async def test_server_to_begin_with_is_asked_however_many_another_one_has_named(
        self, server: ScriptedServer, carrier: RedisClusterCarrier, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert carrier._parts is not None
        topology = carrier._parts.topology
        monkeypatch.setattr(topology, "_known", frozenset(("10.0.0.1", port) for port in range(1, 1_000)))
        chosen = [topology._choose(cluster_topology.ASKED) for _ in range(20)]
        assert all(("127.0.0.1", server.port) in places and len(places) > 1 for places in chosen)

    async def test_server_that_knows_less_is_not_believed(
        self, server: ScriptedServer, other: ScriptedServer, carrier: RedisClusterCarrier, hearing: Hearing
    ) -> None:
        await carrier.subscribe([CHANNEL])
        server.epoch, server.owner = 5, other.port
        other.epoch, other.owner = 4, server.port
        await until(lambda: hearing.cut == {CHANNEL: 1}, "the new owner is not found")
        await asyncio.sleep(2.5)
        assert other.count(b"SSUBSCRIBE") == 1
