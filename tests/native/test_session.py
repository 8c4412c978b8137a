"""The native protocol with a real fan-out: replies and errors in order, what events a browser gets, what waits."""

import asyncio
import json
from typing import Any

import pytest
from awxfast.errors import RedisReplyError
from awxfast.intake.groups import TURN_GROUPS
from awxfast.native.access import Identity, RefuseAccess
from awxfast.native.session import measure
from awxfast.wire import browser_commands
from awxfast.wire.browser_commands import Want
from awxfast.wire.request import Request
from raw_browser import PING, PONG, RawBrowser, close_frame, frame, handshake, open_browser, subscribe, subscription
from serving import Serving, Start, until

DENIED = '{"error": "access denied to channel"}'


class SessionAccess(RefuseAccess):
    """Everybody is user 7 by a session cookie; jobs below 100 may be seen. Answers when `ready` is set."""

    def __init__(self) -> None:
        self.asked: list[Want] = []
        self.ready = asyncio.Event()
        self.ready.set()

    def identify(self, request: Request) -> Identity:
        return Identity(user=7, by_session=True)

    async def may_subscribe(self, identity: Identity, want: Want) -> bool:
        self.asked.append(want)
        await self.ready.wait()
        return want.kind != "job_events" or int(want.value) < 100


class TestGreeting:
    async def test_known_user_is_told_who_they_are(self, start: Start) -> None:
        serving = await start(access=SessionAccess())
        browser = await RawBrowser.open(serving.address)
        assert await browser.read_text() == '{"accept": true, "user": 7}'
        await browser.close()

    async def test_unknown_one_is_accepted_told_to_close_and_closed_with_1000(self, start: Start) -> None:
        serving = await start(access=RefuseAccess())
        browser = await RawBrowser.connect(serving.address)
        browser.send(handshake(), subscription({"jobs": ["summary"]}))
        assert (await browser.read_head()).startswith("HTTP/1.1 101 ")
        assert await browser.read_text() == '{"close": true}'
        assert await browser.read_close() == 1000
        assert await browser.read_to_end() == b""
        assert not serving.groups.calls
        assert serving.server.handshakes == {("refused", "access"): 1}
        await browser.close()


class TestErrorReplies:
    async def test_errors_precede_the_reply_in_the_order_of_the_command(self, start: Start) -> None:
        serving = await start(access=SessionAccess())
        browser = await open_browser(serving, "Cookie: csrftoken=X")
        groups = {
            "jobs": ["a b", "summary"],
            "job_events": [1, 100, "x", 200],
            "metrics": [""],
            "broadcast": ["group_send"],
        }
        browser.send(subscription(groups, xrftoken="X"))
        assert "jobs-a b" in await browser.read_text()
        for named in ("100", "x", "200"):
            error = f"access denied to channel job_events for resource id {named}"
            assert json.loads(await browser.read_text()) == {"error": error}
        assert [await browser.read_text() for _ in range(2)] == [DENIED, DENIED]
        assert json.loads(await browser.read_text())["groups_current"] == ["job_events-1", "jobs-summary"]
        assert serving.endpoints.refusals == {"group_name": 1, "access": 3, "reserved": 2}
        await browser.close()

    async def test_value_that_is_no_list_keeps_the_old_subscriptions(self, serving: Serving) -> None:
        browser = await open_browser(serving)
        await subscribe(browser, {"jobs": ["summary"]})
        browser.send(subscription({"schedules": ["changed"], "jobs": "summary"}))
        assert await browser.read_text() == DENIED
        serving.publish("jobs-summary", "still here")
        assert await browser.read_text() == "still here"
        assert serving.groups.counts == {"jobs-summary": 1}
        await browser.close()

    @pytest.mark.parametrize("payload", ["", "x", "[]", "null", '{"groups": []}', '{"groups": "x"}', "[" * 10_000])
    async def test_what_is_no_command_gets_one_error_and_the_socket_stays_open(
        self, serving: Serving, payload: str
    ) -> None:
        browser = await open_browser(serving)
        browser.send(frame(payload))
        assert set(json.loads(await browser.read_text())) == {"error"}
        assert (await subscribe(browser, {"jobs": ["summary"]}))["groups_joined"] == ["jobs-summary"]
        await browser.close()

    async def test_10000_groups_in_one_command_close_with_1008(self, serving: Serving) -> None:
        browser = await open_browser(serving)
        browser.send(subscription({"jobs": list(range(10_000))}))
        assert await browser.read_close() == 1008
        assert not serving.groups.calls
        await browser.close()

    async def test_the_line_of_an_excess_names_peer_and_option(
        self, start: Start, caplog: pytest.LogCaptureFixture
    ) -> None:
        serving = await start(max_groups=5)
        browser = await open_browser(serving)
        host, port = browser.writer.get_extra_info("sockname")
        browser.send(subscription({"jobs": [*range(6)]}))
        assert await browser.read_close() == 1008
        assert caplog.messages == [f"closed {host}:{port} with 1008: too many groups (--max-groups)"]
        await browser.close()

    async def test_another_limit_of_groups_is_exact(self, start: Start) -> None:
        serving = await start(max_groups=5)
        browser = await open_browser(serving)
        assert len((await subscribe(browser, {"jobs": [*range(5)]}))["groups_current"]) == 5
        browser.send(subscription({"jobs": [*range(5)], "schedules": ["changed"]}))
        assert await browser.read_close() == 1008
        await browser.close()

    async def test_errors_of_one_command_are_at_most_64_kib_and_the_rest_is_counted(self, start: Start) -> None:
        serving = await start(access=SessionAccess())
        browser = await open_browser(serving, "Cookie: csrftoken=X")
        browser.send(subscription({"job_events": ["x" * 200 + str(n) for n in range(1000)]}, xrftoken="X"))
        errors: list[str] = []
        while "groups_current" not in (reply := await browser.read_text()):
            errors.append(json.loads(reply)["error"])
        assert sum(len(json.dumps({"error": error})) + 4 for error in errors) <= 65_536
        assert errors[0].endswith("x" * 200 + "...")
        assert errors[-1] == f"{1001 - len(errors)} more errors in this command"
        assert serving.endpoints.refusals == {"access": 1000}
        await browser.close()

    async def test_redis_that_refuses_is_an_error_reply_and_nothing_changes(self, serving: Serving) -> None:
        browser = await open_browser(serving)
        await subscribe(browser, {"jobs": ["summary"]})
        serving.groups.failure = RedisReplyError("OOM command not allowed")
        browser.send(subscription({"schedules": ["changed"]}))
        reply = await browser.read_text()
        assert set(json.loads(reply)) == {"error"}
        assert "OOM" not in reply
        assert serving.groups.counts == {"jobs-summary": 1}
        await browser.close()

    async def test_subscriptions_that_redis_refuses_one_after_the_other_are_one_line(
        self, serving: Serving, caplog: pytest.LogCaptureFixture
    ) -> None:
        browser = await open_browser(serving)
        serving.groups.failure = RedisReplyError("OOM command not allowed")
        for _ in range(5):
            browser.send(subscription({"schedules": ["changed"]}))
            assert "error" in json.loads(await browser.read_text())
        assert sum("a subscription failed" in message for message in caplog.messages) == 1
        await browser.close()


class TestCsrf:
    """ansible/awx#2468: a session cookie alone subscribes to nothing."""

    @pytest.mark.parametrize(
        ("lines", "more"),
        [
            (["Cookie: csrftoken=X"], {}),
            (["Cookie: csrftoken=X"], {"xrftoken": ""}),
            (["Cookie: csrftoken=X"], {"xrftoken": "Y"}),
            (["Cookie: awx_sessionid=S"], {"xrftoken": "X"}),
            (["Cookie: csrftoken="], {"xrftoken": ""}),
            ([], {"xrftoken": ""}),
        ],
    )
    async def test_without_its_token_no_event_arrives(
        self, start: Start, lines: list[str], more: dict[str, str]
    ) -> None:
        serving = await start(access=SessionAccess())
        browser = await open_browser(serving, "Origin: https://evil.example", *lines)
        browser.send(subscription({"jobs": ["summary"]}, **more))
        assert await browser.read_text() == DENIED
        serving.publish("jobs-summary", *["an event"] * 10_000)
        browser.send(frame("", PING))
        assert await browser.read_frame() == (PONG, b"")
        assert not serving.groups.calls
        await browser.close()

    async def test_with_it_they_do(self, start: Start) -> None:
        serving = await start(access=SessionAccess())
        browser = await open_browser(serving, "Cookie: a=b; csrftoken=X")
        browser.send(subscription({"jobs": ["summary"]}, xrftoken="X"))
        assert json.loads(await browser.read_text())["groups_joined"] == ["jobs-summary"]
        await browser.close()


class TestWaiting:
    """Redis or the API takes its time: one command at a time, pings answered, everything bounded."""

    async def test_reply_waits_for_redis_and_pings_do_not(self, serving: Serving) -> None:
        browser = await open_browser(serving)
        serving.groups.answers.clear()
        browser.send(subscription({"jobs": ["summary"]}), frame("not json"), frame("ping", PING))
        assert await browser.read_frame() == (PONG, b"ping")
        await until(lambda: serving.groups.calls)
        serving.groups.answers.set()
        assert "groups_current" in await browser.read_text()
        assert "not JSON" in await browser.read_text()
        await browser.close()

    async def test_many_waiting_commands_stop_the_reading_and_all_are_served_in_order(self, serving: Serving) -> None:
        browser = await open_browser(serving)
        serving.groups.answers.clear()
        for n in range(2000):
            browser.send(subscription({"jobs": [n], "filler": []}, filler="x" * 1000))
        await until(lambda: serving.groups.calls)
        (connection,) = serving.server._clients
        await until(lambda: not connection.is_reading)
        assert connection._session._held < 2**20  # type: ignore[union-attr]
        protocol = connection._session._protocol  # type: ignore[union-attr]
        assert 60_000 < protocol.unserved < 2**20
        serving.groups.answers.set()
        for n in range(2000):
            assert json.loads(await browser.read_text())["groups_current"] == [f"jobs-{n}"]
        assert connection.is_reading
        await until(lambda: protocol.unserved == 0)
        await browser.close()

    async def test_client_that_leaves_while_redis_is_away_leaves_nothing(self, serving: Serving) -> None:
        browser = await open_browser(serving)
        await subscribe(browser, {"jobs": ["summary"]})
        serving.groups.answers.clear()
        browser.send(subscription({"schedules": ["changed"]}), subscription({"jobs": ["summary"]}))
        await until(lambda: len(serving.groups.calls) == 2)
        (connection,) = serving.server._clients
        protocol = connection._session._protocol  # type: ignore[union-attr]
        await until(lambda: protocol.unserved > 150)
        browser.reset()
        await until(lambda: not serving.groups.counts)
        await until(lambda: serving.server.clients == 0)
        await until(lambda: protocol.unserved == 0)

    async def test_close_while_redis_is_away_is_answered(self, serving: Serving) -> None:
        browser = await open_browser(serving)
        serving.groups.answers.clear()
        browser.send(subscription({"schedules": ["changed"]}))
        await until(lambda: serving.groups.calls)
        browser.send(close_frame())
        assert await browser.read_close() == 1000
        await until(lambda: not serving.groups.counts)
        await browser.close()

    async def test_rights_that_have_to_be_asked_for_hold_up_the_next_command(self, start: Start) -> None:
        access = SessionAccess()
        serving = await start(access=access)
        browser = await open_browser(serving, "Cookie: csrftoken=X")
        access.ready.clear()
        browser.send(subscription({"job_events": [1]}, xrftoken="X"), subscription({"job_events": [2]}, xrftoken="X"))
        await until(lambda: access.asked)
        await asyncio.sleep(0.02)
        assert [want.value for want in access.asked] == ["1"]
        access.ready.set()
        assert json.loads(await browser.read_text())["groups_current"] == ["job_events-1"]
        assert json.loads(await browser.read_text())["groups_left"] == ["job_events-1"]
        await browser.close()

    async def test_fault_of_ours_closes_with_1011(self, serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
        browser = await open_browser(serving)
        serving.groups.failure = RuntimeError("a fault of ours")
        browser.send(subscription({"jobs": ["summary"]}))
        assert await browser.read_close() == 1011
        assert "could not be served" in caplog.text
        await browser.close()


class TestTurns:
    async def test_many_large_commands_at_once_are_read_in_many_turns(
        self, serving: Serving, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whoever else is served waits for a few of them, not for all."""
        reads = 0

        def read_command(*arguments: Any) -> browser_commands.Command:
            nonlocal reads
            reads += 1
            return read(*arguments)

        read = browser_commands.read_command
        monkeypatch.setattr(browser_commands, "read_command", read_command)
        browsers = [await open_browser(serving) for _ in range(20)]
        for browser in browsers:
            browser.send(subscription({"g": ["x" * 90 + str(number) for number in range(1000)]}))
        most = before = 0
        while reads < len(browsers):
            await asyncio.sleep(0)
            most, before = max(most, reads - before), reads
        assert most <= 2 * TURN_GROUPS // 90  # each of them counts for 90 groups
        for browser in browsers:
            assert "groups_current" in await browser.read_text()
            browser.reset()


class RecalledAccess(SessionAccess):
    """All rights are known, and counted when they are looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.recalled: list[Want] = []

    def recall_right(self, identity: Identity, want: Want) -> bool:
        self.recalled.append(want)
        return True


class TestRecall:
    @pytest.mark.parametrize(("room", "recalled"), [(39, 0), (40, 40)])
    async def test_rights_of_40_groups_are_only_looked_at_in_a_turn_with_room_for_40(
        self, start: Start, monkeypatch: pytest.MonkeyPatch, room: int, recalled: int
    ) -> None:
        def read_command(payload: bytes, *arguments: Any) -> browser_commands.Command:
            """Meanwhile others take all but `room` of the turn."""
            monkeypatch.undo()
            assert serving.groups.turns.take_at_once(TURN_GROUPS - measure(payload) - room)
            return browser_commands.read_command(payload, *arguments)

        access = RecalledAccess()
        serving = await start(access=access)
        browser = await open_browser(serving, "Cookie: csrftoken=T")
        monkeypatch.setattr(browser_commands, "read_command", read_command)
        browser.send(subscription({"job_events": list(range(40))}, xrftoken="T"))
        assert len(json.loads(await browser.read_text())["groups_joined"]) == 40
        assert len(access.recalled) == recalled
        await browser.close()


class TestChurn:
    """django/channels#1703 on a small scale: what comes and goes leaves nothing."""

    async def test_clients_that_come_subscribe_and_go_leave_nothing(self, serving: Serving) -> None:
        async def visit(n: int) -> None:
            browser = await open_browser(serving)
            browser.send(subscription({"job_events": [n, n + 1, "shared"], "jobs": ["summary"]}))
            serving.publish("jobs-summary", *["x"] * 10)
            if n % 3:
                while "groups_current" not in await browser.read_text():
                    pass
            if n % 2:
                browser.reset()
            else:
                browser.send(close_frame())
                await browser.read_close()
            await browser.close()

        before = len(asyncio.all_tasks())
        for _ in range(3):
            await asyncio.gather(*(visit(n) for n in range(100)))
        await until(lambda: serving.server.clients == 0)
        await until(lambda: len(asyncio.all_tasks()) <= before)
        assert not serving.groups.counts
        ledger = serving.fanout.ledger()
        assert (ledger["clients"], ledger["balance"]) == (0, {"events": 0, "frames": 0})
