"""The stock-like peers behave as the wire's description says, their weaknesses included."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from events import GROUPS
from meshes import Mesh, until
from nodes import SECRET
from pages import close_pages, open_page
from redis_servers import RedisServer
from stock_dialler import StockDialler
from stock_layer import BACKPLANE, METRICS, internal_message, new_layer
from stock_secret import accepts, make_digest, make_header
from stock_server import StockServer

GROUP = "job_events-1"


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture(params=["broadcast", "relay"])
async def server(redis_server: RedisServer, request: pytest.FixtureRequest) -> AsyncIterator[StockServer]:
    server = StockServer(redis_server.url, SECRET, request.param)
    await server.start()
    yield server
    await server.stop()


def node_url(server: StockServer, era: str | None = None) -> str:
    return f"http://127.0.0.1:{server.port}/websocket/{era or server.era}/"


def is_listening(redis_server: RedisServer) -> bool:
    """Whether a link has joined the backplane's group; it does so after its 101."""
    with redis_server.client() as client:
        return bool(client.exists(f"asgi:group:{BACKPLANE}"))


class TestSecret:
    def test_digest_is_the_published_one(self) -> None:
        digest = "3acee634b48c0ee517834b17bf349032336cbba6358701b29c0949839eb2df2c"
        assert make_digest("awxsecret", "1700000000") == digest

    @pytest.mark.parametrize(("seconds", "accepted"), [(0, True), (298, True), (-298, True), (302, False)])
    def test_nonce_may_be_five_minutes_off(self, seconds: int, accepted: bool) -> None:
        assert accepts("s", make_header("s", seconds)) is accepted

    def test_other_secret_is_refused(self) -> None:
        assert not accepts("s", make_header("t"))
        assert not accepts("s", None)


class TestServer:
    async def test_dialler_without_the_secret_gets_403(
        self, server: StockServer, session: aiohttp.ClientSession
    ) -> None:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            await session.ws_connect(node_url(server))
        assert refusal.value.status == 403

    async def test_other_eras_path_is_unknown(self, server: StockServer, session: aiohttp.ClientSession) -> None:
        other = "relay" if server.era == "broadcast" else "broadcast"
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            await session.ws_connect(node_url(server, other), headers={"secret": make_header(SECRET)})
        assert refusal.value.status == 500

    async def test_link_gets_the_text_of_backplane_messages(
        self, server: StockServer, session: aiohttp.ClientSession, redis_server: RedisServer
    ) -> None:
        async with session.ws_connect(node_url(server), headers={"secret": make_header(SECRET)}) as link:
            await until(lambda: is_listening(redis_server))
            layer = new_layer(server.redis_url)
            await layer.group_send(BACKPLANE, internal_message("the text"))
            assert await link.receive_str() == "the text"
            await layer.close_pools()

    @pytest.mark.parametrize("server", ["relay"], indirect=True)
    async def test_relay_link_hears_of_subscriptions_in_order(
        self, server: StockServer, session: aiohttp.ClientSession, redis_server: RedisServer
    ) -> None:
        async with session.ws_connect(node_url(server), headers={"secret": make_header(SECRET)}) as link:
            await until(lambda: is_listening(redis_server))
            page = await open_page(server.url, [GROUP])
            first = await link.receive_str()
            origin = json.loads(first)["origin_channel"]
            assert first == json.dumps({"type": "consumer.subscribe", "groups": [GROUP], "origin_channel": origin})
            await page.browser.subscribe(["job_events-2"])
            left, joined = await link.receive_json(), await link.receive_json()
            assert (left["type"], left["groups"]) == ("consumer.unsubscribe", [GROUP])
            assert (joined["type"], joined["groups"]) == ("consumer.subscribe", ["job_events-2"])
            await close_pages([page])
            gone = await link.receive_json()
            assert gone == {"type": "consumer.unsubscribe", "groups": ["job_events-2"], "origin_channel": origin}

    @pytest.mark.parametrize("server", ["relay"], indirect=True)
    async def test_relay_link_brings_metrics(
        self, server: StockServer, session: aiohttp.ClientSession, redis_server: RedisServer
    ) -> None:
        metrics = {"instance": "a", "metrics": "{}", "metrics_namespace": "dispatcher"}
        async with session.ws_connect(node_url(server), headers={"secret": make_header(SECRET)}) as link:
            await link.send_json({"group": METRICS, "message": internal_message(json.dumps(metrics))})
            with redis_server.client() as client:
                await until(lambda: client.get("awx_metrics-dispatcher_instance_a") == b"{}")


class TestDialler:
    async def test_refused_dialler_tries_again_at_fixed_intervals(self, redis_server: RedisServer) -> None:
        server = StockServer(redis_server.url, SECRET, "relay")
        await server.start()
        dialler = StockDialler(
            redis_server.url, SECRET, "relay", [f"127.0.0.1:{server.port}"], retry=0.01, clock_error=83_644
        )
        await dialler.start()
        await until(lambda: server.refused >= 3)
        assert (server.links, dialler.up) == (0, set())
        await dialler.stop()
        await server.stop()


@pytest.mark.parametrize("era", ["broadcast", "relay"])
class TestMesh:
    async def test_every_event_reaches_every_browser_once(
        self, era: str, start_mesh: Callable[..., Awaitable[Mesh]]
    ) -> None:
        mesh = await start_mesh(era, *["stock stock"] * 3)
        await mesh.send(30)
        await mesh.assert_each_once(30)

    async def test_restarted_server_is_dialled_again(
        self, era: str, start_mesh: Callable[..., Awaitable[Mesh]]
    ) -> None:
        mesh = await start_mesh(era, *["stock stock"] * 2)
        server, dialler = mesh.nodes[1].server, mesh.nodes[0].dialler
        assert isinstance(server, StockServer)
        assert isinstance(dialler, StockDialler)
        await server.stop()
        await mesh.pages[1].browser.gone.wait()
        await server.start()
        await until(lambda: dialler.connected[mesh.nodes[1].address] == 2)
        mesh.pages[1] = await open_page(server.url, GROUPS)
        await mesh.until_heard()


async def test_producer_of_the_broadcast_era_is_not_heard_by_a_stock_relay(
    start_mesh: Callable[..., Awaitable[Mesh]],
) -> None:
    """The link carries it to the dialler, which ignores it."""
    mesh = await start_mesh("relay", *["stock stock"] * 2)
    await mesh.nodes[0].send(7, GROUP, 1, era="broadcast")
    await until(lambda: mesh.pages[0].has(7, GROUP, 1))
    await mesh.until_heard()
    assert mesh.pages[1].numbers(7) == []


async def test_browsers_that_were_there_before_the_link_are_not_heard_of(redis_server: RedisServer) -> None:
    """The hole of the relay era that awxfast closes."""
    server = StockServer(redis_server.url, SECRET, "relay")
    await server.start()
    page = await open_page(server.url, [GROUP])
    with_link = StockDialler(redis_server.url, SECRET, "relay", [f"127.0.0.1:{server.port}"])
    await with_link.start()
    await until(lambda: bool(with_link.up))
    with redis_server.client() as client:
        await until(lambda: client.zcard("asgi:group:metrics") == 1)
        assert client.zcard(f"asgi:group:{GROUP}") == 1, "the page's own name alone"
    await close_pages([page])
    await with_link.stop()
    await server.stop()


def test_secret_file_of_a_mesh_ends_with_a_line(tmp_path: Path) -> None:
    mesh = Mesh(tmp_path, "relay")
    assert mesh.secret_file.read_text() == SECRET + "\n"
