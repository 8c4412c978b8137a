"""Asking the application's API, with one that aiohttp serves."""

import asyncio
import hashlib
import json
import logging
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from awxfast.errors import AccessUnavailable, ConfigurationError
from awxfast.native import api_questions, forward
from awxfast.native.access import Identity
from awxfast.native.credentials import Credentials
from awxfast.native.forward import AnswerMemory, ForwardAccess
from awxfast.wire.browser_commands import Want
from awxfast.wire.request import Request
from raw_browser import RawBrowser, frame, handshake
from serving import Serving, Start, until


class Api:
    """Answers as the test wants, and remembers what it was asked."""

    def __init__(self) -> None:
        self.questions: list[web.Request] = []
        self.answers: dict[str, Any] = {"/api/v2/me/": {"results": [{"id": 7}]}}
        self.time = 1000.0
        self.answering = asyncio.Event()
        self.answering.set()
        self.permits: asyncio.Semaphore | None = None

    async def start(self) -> None:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self.answer)
        self.runner = web.AppRunner(application, max_field_size=65_536)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        self.port = self.runner.addresses[0][1]
        self.access = ForwardAccess(f"http://127.0.0.1:{self.port}/api/v2/me/", now=lambda: self.time)

    async def stop(self) -> None:
        self.answering.set()
        while self.permits is not None and self.permits.locked():
            self.permits.release()
            await asyncio.sleep(0)
        await self.access.close()
        await self.runner.cleanup()

    async def answer(self, request: web.Request) -> web.Response:
        self.questions.append(request)
        await self.answering.wait()
        if self.permits is not None:
            await self.permits.acquire()
        answer = self.answers.get(request.path, 404)
        if isinstance(answer, int):
            headers = {"Location": f"http://127.0.0.1:{self.port}/elsewhere"} if answer == 302 else None
            return web.Response(status=answer, headers=headers)
        return web.Response(text=answer) if isinstance(answer, str) else web.json_response(answer)

    def cookies(self) -> list[str | None]:
        return [question.headers.get("Cookie") for question in self.questions]

    def paths(self) -> list[str]:
        return [question.path for question in self.questions]


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    serving = Api()
    await serving.start()
    yield serving
    await serving.stop()


def request(*headers: tuple[bytes, bytes], query: bytes = b"") -> Request:
    return Request("GET", "1.1", "/websocket/", query, headers)


COOKIE = (b"cookie", b"awx_sessionid=S; csrftoken=X")
BEARER = (b"authorization", b"Bearer T")


def want(kind: str, value: str = "42") -> Want:
    return Want(f"{kind}-{value}", kind, value)


USER = Identity(user=7, credentials=Credentials((("cookie", "c"),)))
SOMEBODY_ELSE = Identity(user=7, credentials=Credentials((("cookie", "d"),)))


class TestIdentify:
    async def test_credentials_go_on_and_nothing_else(self, api: Api) -> None:
        jwt = (b"x-dab-jw-token", b"J")
        identity = await api.access.identify(request(COOKIE, BEARER, jwt, (b"x-other", b"O")))
        assert identity is not None
        assert identity.user == 7
        (question,) = api.questions
        assert question.method == "GET"
        assert question.headers["Cookie"] == "awx_sessionid=S; csrftoken=X"
        assert question.headers["Authorization"] == "Bearer T"
        assert question.headers["X-DAB-JW-TOKEN"] == "J"
        assert question.headers["X-WS-Session-Quiet"] == "1"
        assert "X-Other" not in question.headers

    async def test_token_of_the_url_becomes_a_header(self, api: Api) -> None:
        assert await api.access.identify(request(query=b"token=T")) is not None
        assert api.questions[0].headers["Authorization"] == "Bearer T"

    async def test_plain_id_is_understood_too(self, api: Api) -> None:
        api.answers["/api/v2/me/"] = {"id": 9, "results_of_something": 1}
        identity = await api.access.identify(request(COOKIE))
        assert identity is not None
        assert identity.user == 9

    async def test_one_users_cookies_never_reach_anothers_question(self, api: Api) -> None:
        await api.access.identify(request(COOKIE))
        await api.access.identify(request(BEARER))
        assert "Cookie" not in api.questions[1].headers

    async def test_without_credentials_nobody_is_asked(self, api: Api) -> None:
        assert await api.access.identify(request()) is None
        assert not api.questions

    async def test_bytes_that_are_no_utf_8_do_no_harm(self, api: Api) -> None:
        assert await api.access.identify(request((b"cookie", b"a=\xe9; awx_sessionid=S"))) is not None

    @pytest.mark.parametrize("status", [401, 403, 404])
    async def test_refusal_is_nobody(self, api: Api, status: int) -> None:
        api.answers["/api/v2/me/"] = status
        assert await api.access.identify(request(COOKIE)) is None

    async def test_empty_list_is_nobody(self, api: Api) -> None:
        api.answers["/api/v2/me/"] = {"count": 0, "results": []}
        assert await api.access.identify(request(COOKIE)) is None

    @pytest.mark.parametrize(
        "answer",
        [
            500,
            302,
            "<html>",
            "[]",
            "5",
            {},
            {"id": "7"},
            {"id": True},
            {"id": -1},
            {"results": 5},
            {"results": [{}]},
            "x" * 2**21,
        ],
    )
    async def test_anything_else_is_no_answer(self, api: Api, answer: Any) -> None:
        api.answers["/api/v2/me/"] = answer
        with pytest.raises(AccessUnavailable):
            await api.access.identify(request(COOKIE))
        assert api.paths() == ["/api/v2/me/"]

    async def test_api_that_is_down_is_no_answer_and_the_error_has_no_secret(self, api: Api) -> None:
        await api.runner.cleanup()
        with pytest.raises(AccessUnavailable) as caught:
            await api.access.identify(request(BEARER))
        assert "Bearer" not in str(caught.value)

    async def test_api_that_hangs_is_no_answer(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(forward, "TIMEOUT_SECONDS", 0.1)
        api.answering.clear()
        with pytest.raises(AccessUnavailable):
            await api.access.identify(request(BEARER))


class TestProbe:
    """`--check` asks once."""

    @pytest.mark.parametrize("status", [401, 403])
    async def test_api_that_wants_credentials_is_there(self, api: Api, status: int) -> None:
        api.answers["/api/v2/me/"] = status
        assert (await api.access.probe()).endswith(f"/api/v2/me/ answers {status} without credentials")
        assert len(api.questions) == 1

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            (404, "answers 404 to who somebody is"),
            (502, "answers 502 to who somebody is"),
            (302, "which is not followed"),
            ("<html>", "answers without results[0].id or id"),
        ],
    )
    async def test_anything_else_is_not_the_api(self, api: Api, answer: Any, said: str) -> None:
        api.answers["/api/v2/me/"] = answer
        with pytest.raises(AccessUnavailable, match=re.escape(said)):
            await api.access.probe()


class TestWhoseTokenItWas:
    @pytest.mark.parametrize(
        ("headers", "query", "by_session"),
        [
            ([COOKIE], b"", True),
            ([COOKIE, BEARER], b"", True),
            ([(b"x-dab-jw-token", b"J")], b"", True),
            ([(b"authorization", b"Basic dTpw")], b"", True),
            ([BEARER], b"", False),
            ([(b"authorization", b"Token T")], b"", False),
            ([], b"token=T", False),
            ([COOKIE], b"token=T", True),
            ([(b"x-dab-jw-token", b"J")], b"token=junk", True),
            ([(b"x-dab-jw-token", b"Bearer J")], b"", True),
            ([(b"x-dab-jw-token", b"J"), BEARER], b"", True),
            ([(b"authorization", b"Basic dTpw")], b"token=junk", True),
            ([BEARER, (b"authorization", b"Basic dTpw")], b"", True),
            ([(b"authorization", b"Basic dTpw"), BEARER], b"token=junk", True),
        ],
    )
    async def test_only_a_token_that_was_asked_about_alone_needs_no_xrftoken(
        self, api: Api, headers: list[tuple[bytes, bytes]], query: bytes, by_session: bool
    ) -> None:
        identity = await api.access.identify(request(*headers, query=query))
        assert identity is not None
        assert identity.by_session is by_session


class TestMaySubscribe:
    @pytest.mark.parametrize(
        ("kind", "path"),
        [
            ("job_events", "/api/v2/jobs/42/"),
            ("workflow_events", "/api/v2/workflow_jobs/42/"),
            ("ad_hoc_command_events", "/api/v2/ad_hoc_commands/42/"),
        ],
    )
    async def test_object_is_asked_for_with_the_users_credentials(self, api: Api, kind: str, path: str) -> None:
        api.answers[path] = {}
        assert await api.access.may_subscribe(USER, want(kind))
        assert api.paths() == [path]
        assert api.questions[0].headers["Cookie"] == "c"

    async def test_other_groups_are_not_asked_for(self, api: Api) -> None:
        assert await api.access.may_subscribe(USER, want("jobs", "summary"))
        assert api.access.recall_right(USER, want("jobs", "summary"))
        assert not api.questions

    async def test_right_is_recalled_once_the_api_has_answered(self, api: Api) -> None:
        api.answers["/api/v2/jobs/42/"] = 404
        assert api.access.recall_right(USER, want("job_events")) is None
        await api.access.may_subscribe(USER, want("job_events"))
        assert api.access.recall_right(USER, want("job_events")) is False
        api.time += 30
        assert api.access.recall_right(USER, want("job_events")) is None
        assert len(api.questions) == 1

    @pytest.mark.parametrize(("status", "allowed"), [(200, True), (401, False), (403, False), (404, False)])
    async def test_yes_and_no_are_kept_for_30_seconds(self, api: Api, status: int, allowed: bool) -> None:
        api.answers["/api/v2/jobs/42/"] = status
        for seconds in (0, 29.9):
            api.time = 1000 + seconds
            assert await api.access.may_subscribe(USER, want("job_events")) is allowed
        assert len(api.questions) == 1
        api.time = 1030
        await api.access.may_subscribe(USER, want("job_events"))
        assert len(api.questions) == 2

    async def test_redirect_is_not_followed_and_the_log_says_where_it_leads(
        self, api: Api, caplog: pytest.LogCaptureFixture
    ) -> None:
        api.answers["/api/v2/jobs/42/"] = 302
        with pytest.raises(AccessUnavailable):
            await api.access.may_subscribe(USER, want("job_events"))
        (said,) = caplog.messages
        assert said.endswith(f"/42/ redirects to http://127.0.0.1:{api.port}, which is not followed; mend the URL")
        assert len(api.questions) == 1

    @pytest.mark.parametrize("status", [500, 429])
    async def test_anything_else_is_no_answer_and_not_kept(
        self, api: Api, status: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        api.answers["/api/v2/jobs/42/"] = status
        for _ in range(3):
            with pytest.raises(AccessUnavailable):
                await api.access.may_subscribe(USER, want("job_events"))
        assert caplog.messages == [
            "not known what a user may see, a subscription is refused this once: "
            f"http://127.0.0.1:{api.port}/api/v2/jobs/42/ answers {status}"
        ]
        api.answers["/api/v2/jobs/42/"] = 200
        assert await api.access.may_subscribe(USER, want("job_events"))

    async def test_answers_are_not_shared_between_credentials(self, api: Api) -> None:
        api.answers["/api/v2/jobs/42/"] = 200
        await api.access.may_subscribe(USER, want("job_events"))
        await api.access.may_subscribe(SOMEBODY_ELSE, want("job_events"))
        assert len(api.questions) == 2

    async def test_api_that_is_down_is_no_answer(self, api: Api, caplog: pytest.LogCaptureFixture) -> None:
        await api.runner.cleanup()
        with pytest.raises(AccessUnavailable):
            await api.access.may_subscribe(USER, want("job_events"))
        (said,) = caplog.messages
        assert said.endswith("/api/v2/jobs/42/ can't be asked: connection refused (does anything listen on this port?)")

    async def test_a_browser_is_told_no_and_the_counter_why(
        self, api: Api, start: Start, caplog: pytest.LogCaptureFixture
    ) -> None:
        api.answers["/api/v2/jobs/42/"] = 500
        serving = await start(access=api.access)
        browser = await RawBrowser.open(serving.address, "Authorization: Bearer T")
        assert json.loads(await browser.read_text()) == {"accept": True, "user": 7}
        browser.send(frame('{"groups": {"job_events": [42, 43], "jobs": ["summary"]}}'))
        for number in (42, 43):
            denied = f"access denied to channel job_events for resource id {number}"
            assert json.loads(await browser.read_text()) == {"error": denied}
        assert json.loads(await browser.read_text())["groups_joined"] == ["jobs-summary"]
        assert serving.endpoints.refusals == {"unavailable": 1, "access": 1}
        assert [text for text in caplog.messages if "refused this once" in text]
        await browser.close()

    async def test_reload_forgets_answers(self, api: Api) -> None:
        await api.access.may_subscribe(USER, want("job_events"))
        api.access.reload()
        await api.access.may_subscribe(USER, want("job_events"))
        assert len(api.questions) == 2

    async def test_nothing_secret_reaches_the_log(self, api: Api, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        await api.access.identify(request((b"cookie", b"SECRET=1")))
        await api.access.may_subscribe(
            Identity(user=7, credentials=Credentials((("cookie", "SECRET"),))), want("job_events")
        )
        assert "SECRET" not in caplog.text


class TestLongCredentials:
    """A request's head may have 64 KiB of them, and one command asks for 100 rights in one turn of the loop."""

    async def test_they_are_hashed_once_and_not_for_each_right(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        hashed = count_hashed_bytes(monkeypatch)
        costs = []
        for length in (100, 60_000):
            identity = await api.access.identify(request((b"cookie", b"c" * length)))
            assert identity is not None
            assert sum(hashed) < length + 1_000
            hashed.clear()
            for number in range(100):
                assert api.access.recall_right(identity, want("job_events", str(number))) is None
            costs.append(sum(hashed))
            hashed.clear()
        assert costs[0] == costs[1] > 0

    async def test_nor_for_a_right_that_is_asked_for(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        identity = await api.access.identify(request((b"cookie", b"c" * 7_000)))
        assert identity is not None
        hashed = count_hashed_bytes(monkeypatch)
        assert not await api.access.may_subscribe(identity, want("job_events"))
        assert 0 < sum(hashed) < 1_000

    async def test_rights_are_known_to_the_same_users_next_socket(self, api: Api) -> None:
        for _ in range(2):
            identity = await api.access.identify(request((b"cookie", b"c" * 7_000)))
            assert identity is not None
            await api.access.may_subscribe(identity, want("job_events"))
        assert api.paths().count("/api/v2/jobs/42/") == 1


def count_hashed_bytes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes each digest is of."""
    counts: list[int] = []
    sha256 = hashlib.sha256

    def count(data: bytes) -> Any:
        counts.append(len(data))
        return sha256(data)

    monkeypatch.setattr(hashlib, "sha256", count)
    return counts


class TestAnswerMemory:
    def test_past_its_bound_the_oldest_goes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(forward, "KEEP_ANSWERS", 2)
        memory = AnswerMemory(30.0, lambda: 0.0)
        for key in (b"a", b"b", b"a", b"c"):
            memory.keep(key, True)
        assert [memory.recall(key) for key in (b"a", b"b", b"c")] == [True, None, True]


class TestNobody:
    async def test_a_no_to_credentials_is_kept_for_a_second(self, api: Api) -> None:
        api.answers["/api/v2/me/"] = 401
        for seconds in (0, 0.9):
            api.time = 1000 + seconds
            assert await api.access.identify(request(COOKIE)) is None
        assert len(api.questions) == 1
        api.answers["/api/v2/me/"] = {"id": 7}
        api.time = 1001
        assert await api.access.identify(request(COOKIE)) is not None

    async def test_it_says_nothing_about_other_credentials(self, api: Api) -> None:
        api.answers["/api/v2/me/"] = 401
        await api.access.identify(request(COOKIE))
        api.answers["/api/v2/me/"] = {"id": 7}
        assert await api.access.identify(request(BEARER)) is not None

    async def test_a_yes_is_asked_again(self, api: Api) -> None:
        """Who has logged out since is not let in."""
        await api.access.identify(request(COOKIE))
        api.answers["/api/v2/me/"] = 401
        assert await api.access.identify(request(COOKIE)) is None


def cookie(name: str, address: str = "203.0.113.7") -> bytes:
    """The handshake of somebody behind a proxy."""
    return handshake("/websocket/", f"Cookie: awx_sessionid={name}", f"X-Forwarded-For: {address}")


async def begin(serving: Serving, *handshakes: bytes) -> list[RawBrowser]:
    browsers = [await RawBrowser.connect(serving.address) for _ in handshakes]
    for browser, head in zip(browsers, handshakes, strict=True):
        browser.send(head)
    return browsers


class TestManyHandshakes:
    """With a slow API, as it is when all of an office come back at once, or when somebody means harm."""

    @pytest.fixture
    async def serving(self, api: Api, start: Start) -> Serving:
        api.answering.clear()
        return await start(access=api.access, proxy_headers=True)

    async def test_questions_end_with_their_sockets(self, api: Api, serving: Serving) -> None:
        vandals = await begin(serving, *(cookie(f"garbage{n}") for n in range(300)))
        # All of them: else some would ask after the others' end.
        await until(lambda: (len(serving.endpoints._asking), len(api.questions)) == (300, 64))
        for vandal in vandals:
            vandal.reset()
        await until(lambda: not serving.endpoints._asking)
        (user,) = await begin(serving, cookie("good"))
        await until(lambda: api.cookies()[-1] == "awx_sessionid=good")
        api.answering.set()
        assert (await user.read_head()).startswith("HTTP/1.1 101 ")
        assert len(api.questions) == 65
        await user.close()

    async def test_one_that_sent_on_before_its_answer_is_missed_too(self, api: Api, serving: Serving) -> None:
        (vandal,) = await begin(serving, cookie("garbage"))
        await until(lambda: api.questions)
        for _ in range(2):
            vandal.send(b"x" * 70_000)
            await asyncio.sleep(0.02)
        vandal.reset()
        await until(lambda: not serving.endpoints._asking)

    async def test_somebody_from_elsewhere_does_not_wait_behind_all_of_them(self, api: Api, serving: Serving) -> None:
        api.permits = asyncio.Semaphore(0)
        api.answering.set()
        vandals = await begin(serving, *(cookie(f"garbage{n}") for n in range(200)))
        await until(lambda: len(api.questions) == 64)
        (user,) = await begin(serving, cookie("good", "198.51.100.9"))
        await until(lambda: len(serving.endpoints._asking) == 201)
        for _ in range(66):
            api.permits.release()
        assert (await user.read_head()).startswith("HTTP/1.1 101 ")
        for browser in (*vandals, user):
            browser.reset()

    async def test_colleague_does_not_wait_behind_one_user_with_many_cookies_of_one_session(
        self, api: Api, serving: Serving, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The API knew them all before."""
        monkeypatch.setattr(api_questions, "AT_ONCE", 2)
        api.answering.set()
        names = [f"VALID; x={number}" for number in range(30)]
        for name in names:
            await api.access.identify(request((b"cookie", f"awx_sessionid={name}".encode())))
        api.answers["/api/v2/me/"] = {"id": 8}
        await api.access.identify(request((b"cookie", b"awx_sessionid=colleague")))
        api.permits = asyncio.Semaphore(0)
        vandals = await begin(serving, *map(cookie, names))
        await until(lambda: len(serving.endpoints._asking) == 30)
        (colleague,) = await begin(serving, cookie("colleague"))
        await until(lambda: len(serving.endpoints._asking) == 31)
        for _ in range(4):
            api.permits.release()
        assert (await colleague.read_head()).startswith("HTTP/1.1 101 ")
        for browser in (*vandals, colleague):
            browser.reset()

    async def test_all_of_an_office_get_in(self, api: Api, serving: Serving) -> None:
        office = await begin(serving, *(cookie(f"user{n}") for n in range(200)))
        await until(lambda: len(serving.endpoints._asking) == 200)
        api.answering.set()
        for user in office:
            assert (await user.read_head()).startswith("HTTP/1.1 101 ")
        for user in office:
            await user.close()

    async def test_tabs_of_one_user_are_asked_about_once(self, api: Api, serving: Serving) -> None:
        tabs = await begin(serving, *[cookie("user")] * 10)
        await until(lambda: len(serving.endpoints._asking) == 10)
        tabs[0].reset()
        await until(lambda: len(serving.endpoints._asking) == 9)
        api.answering.set()
        for tab in tabs[1:]:
            assert (await tab.read_head()).startswith("HTTP/1.1 101 ")
            await tab.close()
        assert len(api.questions) == 1

    async def test_one_too_many_is_told_to_come_back(
        self, api: Api, serving: Serving, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(api_questions, "AT_ONCE", 1)
        monkeypatch.setattr(api_questions, "MOST_WAITING", 1)
        waiting = await begin(serving, cookie("a"), cookie("b"))
        await until(lambda: len(serving.endpoints._asking) == 2)
        (late,) = await begin(serving, cookie("c"))
        status, head, _ = await late.read_response()
        assert status == 503
        assert "retry-after: 5\r\n" in head
        assert serving.server.handshakes == {("refused", "limit"): 1}
        api.answering.set()
        for browser in waiting:
            assert (await browser.read_head()).startswith("HTTP/1.1 101 ")
        for browser in (*waiting, late):
            await browser.close()


class TestRefusals:
    """django/channels#2062, of those whom the API does not know."""

    @pytest.mark.parametrize(
        ("line", "path", "status", "reason"),
        [
            ("Cookie: awx_sessionid=SECRET", "/websocket/", 401, "session"),
            ("X-A: b", "/websocket/", 401, "session"),
            ("Cookie: awx_sessionid=SECRET", "/websocket/?token=SECRET", 401, "session"),
            ("Authorization: Bearer SECRET", "/websocket/", 401, "token"),
            ("X-A: b", "/websocket/?token=SECRET", 401, "token"),
            ("Cookie: awx_sessionid=SECRET", "/websocket/", 500, "access"),
        ],
    )
    async def test_each_has_a_line_with_its_word(
        self,
        api: Api,
        start: Start,
        caplog: pytest.LogCaptureFixture,
        line: str,
        path: str,
        status: int,
        reason: str,
    ) -> None:
        api.answers["/api/v2/me/"] = status
        serving = await start(access=api.access)
        browser = await RawBrowser.connect(serving.address)
        browser.send(handshake(path, line))
        head = await browser.read_head()
        peer = "{}:{}".format(*browser.writer.get_extra_info("sockname"))
        assert head.startswith("HTTP/1.1 503 " if reason == "access" else "HTTP/1.1 101 ")
        (said,) = [message for message in caplog.messages if "refused" in message]
        assert said.startswith(f"refused ({reason}) '/websocket/' from {peer}")
        assert serving.server.handshakes == {("refused", reason): 1}
        assert "SECRET" not in caplog.text
        browser.reset()


class TestConfiguration:
    @pytest.mark.parametrize(
        "url", ["", "127.0.0.1", "ftp://a/b", "http://a", "http://a/", "http:///b", "http://a/b?c"]
    )
    def test_url_that_can_not_be_meant_is_refused_by_name(self, url: str) -> None:
        with pytest.raises(ConfigurationError, match="/api/v2/me/"):
            ForwardAccess(url)

    def test_missing_certificates_are_refused_by_name(self, tmp_path: Any) -> None:
        with pytest.raises(ConfigurationError, match=r"--auth-ca-file .*nothing"):
            ForwardAccess("https://a/api/v2/me/", str(tmp_path / "nothing"))

    async def test_https_is_verified(self, api: Api) -> None:
        access = ForwardAccess(f"https://127.0.0.1:{api.port}/api/v2/me/")
        with pytest.raises(AccessUnavailable):
            await access.identify(request(BEARER))
        await access.close()
