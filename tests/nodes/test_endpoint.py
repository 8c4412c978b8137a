"""Who is let in, over real sockets."""

import asyncio
import time
from pathlib import Path

import aiohttp
import pytest
from awxfast._rust import sign_secret
from awxfast.wire.backplane import fingerprint_redis
from channels_redis.core import RedisChannelLayer
from node_server import SECRET, Dialler, StartNode, eventually, relayed, sign
from redis_servers import RedisServer
from running import Running


class TestHandshake:
    async def test_redis_is_named(self, node: Running, dialler: Dialler, producer: RedisChannelLayer) -> None:
        link = await dialler.dial(node)
        run_id = (await producer.connection(0).info("server"))["run_id"]
        assert link._response.headers["awxfast-redis"] == fingerprint_redis(run_id, 0, "asgi")

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"secret": ""},
            {"secret": "HMAC-SHA256 1:a"},
            sign(-40_000),
            sign(40_000),
            sign(secret="another"),
            {"Cookie": "awx_sessionid=x", "Authorization": "Bearer x"},
        ],
    )
    @pytest.mark.parametrize("era", ["relay", "broadcast"])
    async def test_answer_is_the_same_whatever_is_wrong(
        self, node: Running, dialler: Dialler, headers: dict[str, str], era: str
    ) -> None:
        upgrade = {"Upgrade": "websocket", "Connection": "upgrade", "Sec-WebSocket-Version": "13"}
        upgrade["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ=="
        async with dialler.session.get(f"{node.url}/websocket/{era}/", headers={**upgrade, **headers}) as response:
            assert response.status == 403
            assert await response.text() == "This path is for the nodes of the cluster.\n"

    async def test_both_forms_of_the_header_are_taken(self, node: Running, dialler: Dialler) -> None:
        header = sign()["secret"]
        assert await dialler.status(node, {"secret": header}) == 101
        assert await dialler.status(node, {"secret": header.removeprefix("HMAC-SHA256 ")}) == 101

    async def test_limits_of_browsers_are_not_for_nodes(self, start_node: StartNode, dialler: Dialler) -> None:
        node = await start_node(max_clients=1, accept_rate=1, origins=("awx.example",))
        browser = await dialler.subscribe(node, job_events=[1])
        links = [await dialler.dial(node, headers={**sign(), "Origin": "https://evil.example"}) for _ in range(5)]
        assert (await node.ledger())["clients"] == 1
        assert [peer["links"] for peer in await node.peers()] == [5]
        await browser.close()
        for link in links:
            await link.close()

    async def test_links_do_not_take_places_of_browsers(self, start_node: StartNode, dialler: Dialler) -> None:
        node = await start_node(max_clients=1)
        link = await dialler.dial(node)
        browser = await dialler.subscribe(node, job_events=[1])
        with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
            await dialler.subscribe(node, job_events=[1])
        await browser.close()
        await link.close()

    async def test_no_secret_lets_nobody_in(
        self, start_node: StartNode, dialler: Dialler, caplog: pytest.LogCaptureFixture
    ) -> None:
        node = await start_node(secret_files=())
        for headers in (sign(), sign(secret=""), {}):
            assert await dialler.status(node, headers) == 403
        assert caplog.text.count("no secret is known") == 1

    @pytest.mark.parametrize(
        ("skew", "secret", "word"), [(0, "another", "secret"), (-400, SECRET, "nonce")], ids=["secret", "nonce"]
    )
    async def test_each_refusal_has_its_word(
        self, node: Running, dialler: Dialler, caplog: pytest.LogCaptureFixture, skew: int, secret: str, word: str
    ) -> None:
        """django/channels#2062: a line with path, peer and word, and a counter with the word."""
        for _ in range(2):
            assert await dialler.status(node, sign(skew, secret)) == 403
        assert caplog.text.count(f"refused ({word}) '/websocket/relay/' from 127.0.0.1: ") == 1
        assert f'awxfast_handshakes_total{{reason="{word}",result="refused"}} 2.0' in await node.ask("/metrics")
        assert SECRET not in caplog.text

    async def test_off_is_not_there(self, start_node: StartNode, dialler: Dialler) -> None:
        node = await start_node(node_endpoints="off")
        assert await dialler.status(node) == 404

    async def test_nobody_links_before_redis_was_there(
        self, start_node: StartNode, dialler: Dialler, redis_server: RedisServer
    ) -> None:
        """Two ends on one Redis that boots after them could not tell, and would pass each event twice."""
        redis_server.kill()
        node = await start_node()
        assert await dialler.status(node) == 503
        assert await dialler.status(node, sign(secret="another")) == 403
        await asyncio.to_thread(redis_server.start)
        await eventually(lambda: dialler.status(node), 101)
        redis_server.kill()
        assert await dialler.status(node) == 101
        await asyncio.to_thread(redis_server.start)


class TestRepeats:
    async def test_two_honest_nodes_in_the_same_second_are_both_let_in(self, node: Running, dialler: Dialler) -> None:
        header = sign()
        links = [await dialler.dial(node, headers=header) for _ in range(2)]
        metrics = await node.ask("/metrics")
        assert 'awxfast_handshakes_total{reason="node_repeated",result="accepted"} 1.0' in metrics
        for link in links:
            await link.close()

    async def test_repeat_is_refused_where_that_is_asked_for(self, start_node: StartNode, dialler: Dialler) -> None:
        node = await start_node(nonce_replay="refuse")
        header = sign()
        assert await dialler.status(node, header) == 101
        assert await dialler.status(node, header) == 403
        assert await dialler.status(node, {"secret": header["secret"].removeprefix("HMAC-SHA256 ")}) == 403
        assert await dialler.status(node, sign(1)) == 101


class TestRotation:
    async def test_both_secrets_are_taken_and_the_old_one_shows(self, start_node: StartNode, dialler: Dialler) -> None:
        node = await start_node(secrets=("new", "old"))
        link = await dialler.dial(node, headers=sign(secret="new"))
        assert [peer["old_secret"] for peer in await node.peers()] == [False]
        old = await dialler.dial(node, headers=sign(secret="old"))
        assert [peer["old_secret"] for peer in await node.peers()] == [True]
        await link.close()
        await old.close()

    async def test_files_are_read_again(self, start_node: StartNode, dialler: Dialler, tmp_path: Path) -> None:
        node = await start_node()
        link = await dialler.dial(node)
        (tmp_path / "secret-0").write_text("changed")
        assert node.control.reload_files is not None
        node.control.reload_files()
        assert await dialler.status(node, sign()) == 403
        assert await dialler.status(node, sign(secret="changed")) == 101
        assert not link.closed
        (tmp_path / "secret-0").write_text("\n\n")
        node.control.reload_files()
        assert await dialler.status(node, sign(secret="changed")) == 101
        await link.close()


class TestPeers:
    async def test_node_stands_in_the_ledger(self, node: Running, dialler: Dialler) -> None:
        link = await dialler.dial(node, headers=sign(120))
        await link.receive_json()
        await link.send_str(relayed("job_events-1", "x"))
        await eventually(lambda: node.peer("received"), 1)
        (peer,) = await node.peers()
        assert (peer["host"], peer["state"], peer["eras"], peer["links"]) == ("127.0.0.1", "connected", ["relay"], 1)
        assert (peer["received"], peer["sent"], peer["queued"], sum(peer["lost"].values())) == (1, 1, 0, 0)
        assert 119 <= peer["clock_skew"] <= 120
        await link.close()
        await eventually(lambda: node.peer("state"), "gone")

    async def test_clock_that_is_off_is_said_in_words(
        self, node: Running, dialler: Dialler, caplog: pytest.LogCaptureFixture
    ) -> None:
        header = {"secret": sign_secret(SECRET, int(time.time()) - 83_644)}
        for _ in range(3):
            assert await dialler.status(node, header) == 403
        lines = [record.message for record in caplog.records if "refused" in record.message]
        assert len(lines) == 1
        assert "refused (nonce) '/websocket/relay/' from 127.0.0.1: its clock is 8364" in lines[0]
        assert "seconds behind ours" in lines[0]
        (peer,) = await node.peers()
        assert peer["state"] == "refused"
        assert SECRET not in caplog.text
        assert header["secret"] not in caplog.text
