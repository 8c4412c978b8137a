"""One browser's groups with a real fan-out: they replace each other, are counted for its user, and are let go of."""

import asyncio
import itertools
import json
import random
from collections import Counter
from typing import Any

import pytest
from awxfast.errors import RedisReplyError
from awxfast.native.access import Identity, RefuseAccess
from awxfast.wire.browser_commands import Want
from awxfast.wire.request import Request
from raw_browser import RawBrowser, close_frame, frame, open_browser, subscribe, subscription
from serving import Serving, Start, until


class TestSubscribing:
    async def test_groups_replace_each_other(self, serving: Serving) -> None:
        browser = await open_browser(serving)
        browser.send(subscription({"jobs": ["status_changed", "summary"], "job_events": [42]}))
        assert await browser.read_text() == (
            '{"groups_current": ["job_events-42", "jobs-status_changed", "jobs-summary"], "groups_left": [], '
            '"groups_joined": ["job_events-42", "jobs-status_changed", "jobs-summary"]}'
        )
        browser.send(subscription({"jobs": ["summary"], "schedules": ["changed"]}))
        assert await browser.read_text() == (
            '{"groups_current": ["jobs-summary", "schedules-changed"], '
            '"groups_left": ["job_events-42", "jobs-status_changed"], "groups_joined": ["schedules-changed"]}'
        )
        assert serving.groups.counts == {"jobs-summary": 1, "schedules-changed": 1}
        assert await subscribe(browser, {}) == {
            "groups_current": [],
            "groups_left": ["jobs-summary", "schedules-changed"],
            "groups_joined": [],
        }
        assert not serving.groups.counts
        await browser.close()

    async def test_events_of_joined_groups_arrive_unchanged(self, serving: Serving) -> None:
        browser = await open_browser(serving)
        await subscribe(browser, {"job_events": [42]})
        texts = ['{"a": "\\u001b[0m"}', "\u00e9\U0001f600", "", "x" * 100_000]
        serving.publish("job_events-42", *texts)
        serving.publish("job_events-43", "not for us")
        serving.publish("job_events-42", "last")
        assert [await browser.read_text() for _ in range(5)] == [*texts, "last"]
        await browser.close()

    async def test_nothing_of_a_group_follows_the_reply_that_it_was_left(self, serving: Serving) -> None:
        browser = await open_browser(serving)
        await subscribe(browser, {"job_events": [1, 2]})
        for n in range(200):
            serving.publish("job_events-1", str(n))
            if n == 100:
                browser.send(subscription({"job_events": [2]}))
            await asyncio.sleep(0)
        while "groups_left" not in (text := await browser.read_text()):
            assert text.isdigit()
        serving.publish("job_events-1", "too late")
        serving.publish("job_events-2", "in time")
        assert await browser.read_text() == "in time"
        await browser.close()

    @pytest.mark.parametrize("ids", [[42], ["42"], [42, "42"]])
    async def test_number_and_text_are_one_membership(self, serving: Serving, ids: list[Any]) -> None:
        """Numbers and texts as pages send them (ansible/ansible-ui#659)."""
        browser = await open_browser(serving)
        assert (await subscribe(browser, {"job_events": ids}))["groups_current"] == ["job_events-42"]
        serving.publish("job_events-42", "once", "last")
        assert [await browser.read_text() for _ in range(2)] == ["once", "last"]
        await browser.close()

    async def test_unchanged_dictionary_asks_nothing_of_redis(self, serving: Serving) -> None:
        """Numbers and texts as pages send them (ansible/ansible-ui#659)."""
        browser = await open_browser(serving)
        await subscribe(browser, {"jobs": ["summary"], "job_events": ["42"]})
        reply = await subscribe(browser, {"job_events": [42], "jobs": ["summary"]})
        assert reply == {
            "groups_current": ["job_events-42", "jobs-summary"],
            "groups_left": [],
            "groups_joined": [],
        }
        assert serving.groups.calls == [["job_events-42", "jobs-summary"]]
        await browser.close()

    async def test_command_without_groups_has_no_reply(self, serving: Serving) -> None:
        browser = await open_browser(serving)
        browser.send(frame('{"other": 1}'))
        assert (await subscribe(browser, {}))["groups_current"] == []
        await browser.close()

    async def test_end_lets_go_of_all_groups(self, serving: Serving) -> None:
        browser = await open_browser(serving)
        await subscribe(browser, {"jobs": ["summary"], "job_events": [1, 2, 3]})
        browser.send(close_frame())
        assert await browser.read_close() == 1000
        assert not serving.groups.counts
        await browser.close()


class NamedAccess(RefuseAccess):
    """Everybody is the user that their path's query names."""

    def identify(self, request: Request) -> Identity:
        return Identity(user=int(request.query))

    async def may_subscribe(self, identity: Identity, want: Want) -> bool:
        return True


class TestUsersGroups:
    """One user's sockets together have at most 5,000 groups a process."""

    async def test_user_past_the_most_gets_the_error_reply_and_others_do_not(self, start: Start) -> None:
        serving = await start(access=NamedAccess())
        names = [f"{'x' * 20}{number}" for number in range(6000)]
        browsers = [await RawBrowser.open(serving.address, path="/websocket/?7") for _ in range(6)]
        for number, browser in enumerate(browsers):
            await browser.read_text()
            if number < 5:
                reply = await subscribe(browser, {"g": names[number * 1000 : number * 1000 + 1000]})
                assert len(reply["groups_joined"]) == 1000
        last = browsers[-1]
        last.send(subscription({"g": [names[5000]]}))
        assert "at most 5000 groups" in json.loads(await last.read_text())["error"]
        assert serving.endpoints.refusals == {"user_groups": 1}
        # What the user has anyway is not one more.
        assert (await subscribe(last, {"g": names[:1000]}))["groups_joined"]
        other = await RawBrowser.open(serving.address, path="/websocket/?8")
        await other.read_text()
        assert (await subscribe(other, {"g": [names[5000]]}))["groups_joined"] == [f"g-{names[5000]}"]
        # And there is room when a socket is gone.
        await subscribe(last, {})
        browsers[0].reset()
        await until(lambda: serving.server.clients == 6)
        assert (await subscribe(last, {"g": names[5000:]}))["groups_joined"]
        for browser in (*browsers[1:], other):
            await browser.close()

    async def test_refused_subscription_changes_nothing(self, start: Start) -> None:
        serving = await start(access=NamedAccess())
        serving.endpoints._native.user_groups.most = 2
        browser = await RawBrowser.open(serving.address, path="/websocket/?7")
        await browser.read_text()
        await subscribe(browser, {"jobs": ["a", "b"]})
        browser.send(subscription({"jobs": ["b", "c", "d"]}))
        assert "at most 2 groups" in await browser.read_text()
        assert (await subscribe(browser, {"jobs": ["c", "d"]}))["groups_left"] == ["jobs-a", "jobs-b"]
        await browser.close()

    async def test_redis_that_refuses_gives_the_groups_back(self, start: Start) -> None:
        serving = await start(access=NamedAccess())
        serving.endpoints._native.user_groups.most = 2
        browser = await RawBrowser.open(serving.address, path="/websocket/?7")
        await browser.read_text()
        await subscribe(browser, {"jobs": ["a"]})
        serving.groups.failure = RedisReplyError("OOM command not allowed")
        browser.send(subscription({"jobs": ["b", "c"]}))
        assert "Redis refused it" in await browser.read_text()
        serving.groups.failure = None
        assert (await subscribe(browser, {"jobs": ["a", "d"]}))["groups_joined"] == ["jobs-d"]
        browser.reset()
        await until(lambda: not serving.endpoints._native.user_groups._users)

    async def test_everybody_under_open_is_not_one_user(self, serving: Serving) -> None:
        serving.endpoints._native.user_groups.most = 1
        browser = await open_browser(serving)
        assert len((await subscribe(browser, {"jobs": ["a", "b", "c"]}))["groups_joined"]) == 3
        await browser.close()


class TestMembership:
    async def test_session_fan_out_and_intake_name_the_same_groups(self, serving: Serving) -> None:
        """Each keeps them for its own question: what is left, who gets an event, which events come here."""
        rng = random.Random(5)
        browsers = [await open_browser(serving) for _ in range(3)]
        clients = [connection.client for connection in serving.server._clients]
        current: list[list[str]] = [[] for _ in browsers]
        for _ in range(60):
            number = rng.randrange(len(browsers))
            reply = await subscribe(browsers[number], {"job_events": rng.sample(range(6), rng.randrange(5))})
            current[number] = reply["groups_current"]
            assert sorted(map(serving.fanout.groups_of, clients)) == sorted(current)
            assert serving.groups.counts == Counter(itertools.chain(*current))
        for browser in browsers:
            await browser.close()
        await until(lambda: not serving.groups.counts)
        assert [serving.fanout.groups_of(client) for client in clients] == [[], [], []]
