"""The rooms wired together in this process, on a real Redis, without main and child."""

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from awxfast import app
from awxfast.errors import ConfigurationError, StartError
from awxfast.intake.drain import Drain
from awxfast.native.access import OpenAccess, RefuseAccess, TokensAccess
from awxfast.native.forward import ForwardAccess
from awxfast.settings import Settings
from awxfast.system.queued_stream import drain_streams
from channels_redis.core import RedisChannelLayer
from redis_servers import RedisServer
from running import Running


@pytest.fixture
async def running(redis_server: RedisServer) -> AsyncIterator[Running]:
    one = Running(Settings(redis=(redis_server.url,), auth="open", access_log="/dev/null"))
    await one.wait_until_serving()
    yield one
    if not one.task.done():
        await one.stop()


class TestReplyBound:
    def test_it_is_256_kib_and_grows_with_what_one_reply_may_name(self) -> None:
        assert app.reply_bound(Settings()) == 262_144
        assert app.reply_bound(Settings(max_groups=10)) == 262_144
        assert app.reply_bound(Settings(max_groups=4000)) == 4 * 262_144


class TestServe:
    async def test_event_reaches_a_browser_and_the_ledger(self, running: Running, redis_server: RedisServer) -> None:
        layer = RedisChannelLayer(hosts=[redis_server.url])
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{running.url}/websocket/") as browser:
            assert await browser.receive_json() == {"accept": True, "user": 0}
            await browser.send_json({"groups": {"job_events": [42]}})
            assert (await browser.receive_json())["groups_joined"] == ["job_events-42"]
            await layer.group_send("job_events-42", {"type": "internal.message", "text": '{"id":1}'})
            assert await browser.receive_str() == '{"id":1}'
            async with session.get(f"{running.admin_url}/ledger") as answer:
                ledger = await answer.json()
        await layer.close_pools()
        assert ledger["events"] == {"in": 1, "routed": 1, "no_subscriber": 0, "rejected": {}}
        assert (ledger["clients"], ledger["groups"], ledger["peers"]) == (1, 1, [])
        assert ledger["balance"] == {"events": 0, "frames": 0}

    async def test_all_metrics_have_values(self, running: Running) -> None:
        async with aiohttp.ClientSession() as session, session.get(f"{running.admin_url}/metrics") as answer:
            text = await answer.text()
        assert "awxfast_redis_up 1.0" in text
        assert "awxfast_event_age_seconds_count 0.0" in text

    async def test_nothing_is_left_behind(self, running: Running, redis_server: RedisServer) -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{running.url}/websocket/") as browser:
            await browser.receive_json()
            await browser.send_json({"groups": {"job_events": [42]}})
            await browser.receive_json()
            running.control.stop.set()
            message = await browser.receive()
            assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1001)
        await running.stop()
        with redis_server.client() as client:
            assert client.keys("*") == []

    async def test_intake_that_failed_ends_the_process(
        self, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing but a new process helps then; main starts one."""

        async def fail(self: Drain) -> None:
            raise RuntimeError("a fault of the drain")

        monkeypatch.setattr(Drain, "run", fail)
        one = Running(Settings(redis=(redis_server.url,), auth="open", access_log="/dev/null"))
        await one.wait_for_failure(StartError, "the intake ended")


class TestStart:
    async def test_password_that_is_wrong_is_a_configuration_error(self, redis_server: RedisServer) -> None:
        url = redis_server.url.replace("unix://", "unix://:wrong@")
        one = Running(Settings(redis=(url,), auth="open", access_log="/dev/null"))
        await one.wait_for_failure(ConfigurationError, "password")


class TestAccess:
    def test_nobody_by_default_and_the_log_says_so(self, caplog: pytest.LogCaptureFixture) -> None:
        assert isinstance(app.build_access(Settings()), RefuseAccess)
        assert "--auth says who may connect" in caplog.text

    def test_open(self) -> None:
        assert isinstance(app.build_access(Settings(auth="open")), OpenAccess)

    def test_tokens(self, tmp_path: Path) -> None:
        (tmp_path / "a=b.json").write_text(json.dumps({"t": {"user": 7}}))
        assert isinstance(app.build_access(Settings(auth=f"tokens={tmp_path}/a=b.json")), TokensAccess)

    def test_forward(self) -> None:
        assert isinstance(app.build_access(Settings(auth="forward=https://127.0.0.1/api/v2/me/")), ForwardAccess)

    @pytest.mark.parametrize("auth", ["", "opened", "tokens", "tokens=", "forward=", "s3cret", "password=s3cret"])
    def test_anything_else_is_refused_without_repeating_a_secret(self, auth: str) -> None:
        with pytest.raises(ConfigurationError, match="give tokens=FILE, forward=URL or open") as caught:
            app.build_access(Settings(auth=auth))
        assert "s3cret" not in str(caught.value)


class TestAccessLog:
    def test_stdout_from_verbosity_1_on(self) -> None:
        assert app.open_access_log(Settings(verbosity=0)) is None
        assert app.open_access_log(Settings(verbosity=1)) is not None
        assert app.open_access_log(Settings(verbosity=0, access_log="-")) is not None

    def test_file_is_appended_to(self, tmp_path: Path) -> None:
        path = tmp_path / "access.log"
        path.write_text("before\n")
        log = app.open_access_log(Settings(verbosity=0, access_log=str(path)))
        assert log is not None
        log.write("127.0.0.1:1", "GET /")
        assert isinstance(log.stream, io.TextIOWrapper)
        drain_streams()
        log.stream.close()
        assert path.read_text().startswith("before\n127.0.0.1:1 - - [")

    def test_file_that_can_not_be_opened_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match=f"--access-log {tmp_path}/no/log: No such file"):
            app.open_access_log(Settings(access_log=f"{tmp_path}/no/log"))
