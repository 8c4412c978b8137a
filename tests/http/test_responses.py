"""What an application answers, byte by byte, and when it learns that its client is gone."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from answering_site import LENGTH, NEXT, Site, StartSite, get, respond
from awxfast.http import service
from awxfast.http.requests import Requests
from serving import until

NAMES = contextvars.ContextVar("NAMES", default="")


async def stream_without_end(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while True:
        await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
        await asyncio.sleep(0)


class TestBodies:
    @pytest.mark.parametrize("headers", [[], LENGTH], ids=["no length", "length"])
    @pytest.mark.parametrize("status", [204, 304])
    async def test_there_is_none_behind_204_and_304(
        self, site: Site, status: int, headers: list[tuple[bytes, bytes]]
    ) -> None:
        site.application.run = respond(status, headers, b"body")
        first, _, second = (await site.ask(get(), NEXT)).partition(b"\r\n\r\n")
        assert first.startswith(b"HTTP/1.1 %d " % status)
        assert b"transfer-encoding" not in first
        assert (b"content-length: 4" in first) == (status == 304 and headers == LENGTH)
        assert second.startswith(b"HTTP/1.1 200 OK\r\n")
        assert second.endswith(b"\r\n\r\n/next")

    @pytest.mark.parametrize("headers", [[], LENGTH], ids=["no length", "length"])
    async def test_there_is_none_behind_head(self, site: Site, headers: list[tuple[bytes, bytes]]) -> None:
        site.application.run = respond(200, headers, b"body")
        _, _, second = (await site.ask(get(method="HEAD"), NEXT)).partition(b"\r\n\r\n")
        assert second.startswith(b"HTTP/1.1 200 OK\r\n")

    async def test_without_a_length_they_come_in_chunks(self, site: Site) -> None:
        site.application.run = respond(200, [(b"transfer-encoding", b"chunked")], b"one", b"", b"three", b"")
        head, _, body = (await site.ask(get("/", "Connection: close"))).partition(b"\r\n\r\n")
        assert head.count(b"transfer-encoding: chunked") == 1
        assert b"content-length" not in head
        assert body == b"3\r\none\r\n5\r\nthree\r\n0\r\n\r\n"

    async def test_length_wins_over_a_coding_of_the_applications(self, site: Site) -> None:
        site.application.run = respond(200, [*LENGTH, (b"transfer-encoding", b"chunked")], b"body")
        head, _, body = (await site.ask(get("/", "Connection: close"))).partition(b"\r\n\r\n")
        assert b"transfer-encoding" not in head
        assert body == b"body"

    @pytest.mark.parametrize("line", ["Connection: keep-alive", "X: y"])
    async def test_http_1_0_gets_no_chunks_and_the_end(self, site: Site, line: str) -> None:
        site.application.run = respond(200, [], b"one", b"two")
        head, _, body = (await site.ask(get("/", line, version="1.0"))).partition(b"\r\n\r\n")
        assert b"transfer-encoding" not in head
        assert b"connection: close" in head
        assert body == b"onetwo"

    async def test_http_1_0_is_kept_alive_where_it_asks_for_it(self, site: Site) -> None:
        answer = await site.ask(get("/a", "Connection: keep-alive", version="1.0"), get("/b", version="1.0"))
        first, second = answer.split(b"HTTP/1.1 200 OK")[1:]
        assert b"connection: keep-alive" in first
        assert b"connection: close" in second

    @pytest.mark.parametrize("parts", [(b"too long",), (b"too", b" long"), (b"s",), (b"s", b"")])
    async def test_one_that_does_not_fit_its_length_is_an_error_and_the_end(
        self, site: Site, parts: tuple[bytes, ...]
    ) -> None:
        site.application.run = respond(200, LENGTH, *parts)
        answer = await site.ask(get(), NEXT)
        assert b"/next" not in answer
        assert b" long" not in answer
        assert [type(error) for error in site.application.failures] == [ValueError]

    @pytest.mark.parametrize("value", [b"+4", b"4, 4", b"", b"x", b"9" * 30])
    async def test_length_that_is_none_gets_500(self, site: Site, value: bytes) -> None:
        site.application.run = respond(200, [(b"content-length", value)], b"body")
        assert (await site.ask(get())).startswith(b"HTTP/1.1 500 ")


def send_all(*messages: dict[str, Any]) -> Callable[..., Awaitable[None]]:
    async def run(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    return run


START: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": [], "trailers": True}
LAST: dict[str, Any] = {"type": "http.response.body", "body": b"body"}


class TestExtensions:
    """Of ASGI's responses."""

    async def test_trailers_follow_the_body(self, site: Site) -> None:
        first = {"type": "http.response.trailers", "headers": [(b"a", b"b")], "more_trailers": True}
        last = {"type": "http.response.trailers", "headers": [(b"c", b"d")]}
        site.application.run = send_all(START, LAST, first, last)
        answer = await site.ask(get(), NEXT)
        _, _, body = answer.partition(b"\r\n\r\n")
        assert body.startswith(b"4\r\nbody\r\n0\r\na: b\r\nc: d\r\n\r\nHTTP/1.1 200 OK\r\n")

    async def test_trailers_are_dropped_where_there_is_no_place_for_them(self, site: Site) -> None:
        site.application.run = send_all(
            {**START, "headers": LENGTH}, LAST, {"type": "http.response.trailers", "headers": [(b"a", b"b")]}
        )
        answer = await site.ask(get(), NEXT)
        assert b"\r\n\r\nbodyHTTP/1.1 200 OK" in answer

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    async def test_file_is_the_body(self, site: Site, tmp_path: Path, method: str) -> None:
        file = tmp_path / "file"
        file.write_bytes(b"x" * 600_000)
        start = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"600000")]}
        site.application.run = send_all(start, {"type": "http.response.pathsend", "path": str(file)})
        _, _, body = (await site.ask(get("/", "Connection: close", method=method))).partition(b"\r\n\r\n")
        assert body == (b"x" * 600_000 if method == "GET" else b"")

    @pytest.mark.parametrize("version", ["1.1", "1.0"])
    async def test_hints_come_before_the_response(self, site: Site, version: str) -> None:
        hint = {"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload"]}
        site.application.run = send_all(hint, {**START, "trailers": False}, LAST)
        answer = await site.ask(get("/", "Connection: close", version=version))
        hints = b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n"
        assert answer.startswith((hints if version == "1.1" else b"") + b"HTTP/1.1 200 OK\r\n")

    @pytest.mark.parametrize(("length", "announced"), [(b"10", True), (None, False)])
    async def test_trailers_out_of_place_end_the_connection(
        self, site: Site, length: bytes | None, announced: bool
    ) -> None:
        async def answer(scope: Any, receive: Any, send: Any) -> None:
            headers = [(b"content-length", length)] if length else []
            await send({"type": "http.response.start", "status": 200, "headers": headers, "trailers": announced})
            await send({"type": "http.response.body", "body": b"abc", "more_body": bool(length)})
            await send({"type": "http.response.trailers", "headers": [(b"x", b"y")]})

        site.application.run = answer
        answered = await site.ask(get() + NEXT)
        assert b"x: y" not in answered
        assert (b"/next" in answered) is not bool(length)


class TestHeaders:
    async def test_applications_own_server_and_date_win(self, site: Site) -> None:
        site.application.run = respond(200, [(b"Server", b"mine"), (b"date", b"today"), *LENGTH], b"body")
        head, _, _ = (await site.ask(get("/", "Connection: close"))).partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        assert [line for line in lines if line.startswith((b"server", b"date"))] == [b"server: mine", b"date: today"]

    @pytest.mark.parametrize("method", ["FOO", "VERSION-CONTROL", "RPC_IN_DATA", "get"])
    async def test_methods_reach_the_application_as_sent(self, site: Site, method: str) -> None:
        await site.ask(get("/", "Connection: close", method=method))
        assert [scope["method"] for scope in site.application.scopes] == [method]

    async def test_long_target_arrives_whole(self, start_site: StartSite) -> None:
        site = await start_site(max_head=200_000)
        await site.ask(get("/" + "b" * 65_536, "Connection: close"))
        assert site.application.scopes[0]["path"] == "/" + "b" * 65_536

    async def test_uri_without_a_path_is_the_root_and_its_host_counts(self, site: Site) -> None:
        await site.ask(b"GET http://elsewhere?x=y HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        (scope,) = site.application.scopes
        assert (scope["path"], scope["raw_path"], scope["query_string"]) == ("/", b"/", b"x=y")
        assert scope["headers"][0] == (b"host", b"elsewhere")

    @pytest.mark.parametrize("head", [b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"])
    async def test_host_is_there_once(self, site: Site, head: bytes) -> None:
        assert (await site.ask(head)).startswith(b"HTTP/1.1 400 ")
        assert not site.application.scopes


async def take_all(scope: Any, receive: Any, send: Any) -> None:
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message["body"]), message["more_body"]
    await respond(200, [(b"content-length", b"%d" % len(str(size)))], str(size).encode())(scope, receive, send)


class TestContinue:
    @pytest.mark.parametrize("value", ["100-continue", "100-Continue\t", "  100-continue "])
    async def test_client_that_waits_is_told_to_go_on_once(self, site: Site, value: str) -> None:
        site.application.run = take_all
        browser = await site.connect(get("/", f"Expect: {value}", "Content-Length: 4", method="POST"))
        assert await browser.read_head() == "HTTP/1.1 100 Continue\r\n\r\n"
        browser.send(b"body")
        assert (await browser.read_response())[2] == "4"
        await browser.close()

    async def test_http_1_0_is_not(self, site: Site) -> None:
        site.application.run = take_all
        head = get("/", "Expect: 100-continue", "Content-Length: 4", method="POST", version="1.0")
        browser = await site.connect(head)
        await until(lambda: site.application.scopes)
        browser.send(b"body")
        assert (await browser.read_to_end()).startswith(b"HTTP/1.1 200 ")
        await browser.close()

    async def test_answer_without_it_is_the_connections_last(self, site: Site) -> None:
        """Whether the body follows is the client's choice, so nothing behind it can be told from it."""
        answer = await site.ask(get("/", "Expect: 100-continue", "Content-Length: 4", method="POST"), NEXT)
        assert b"connection: close" in answer
        assert b"/next" not in answer


class TestBackpressure:
    @pytest.mark.parametrize(
        "chunk", [b"80\r\n" + b"\r\n\r\n" * 32 + b"\r\n", b"1\r\nx\r\n", b"10000\r\n" + b"y" * 65_536 + b"\r\n"]
    )
    async def test_body_that_nobody_takes_is_not_read(self, site: Site, chunk: bytes) -> None:
        go = asyncio.Event()

        async def sleep(scope: Any, receive: Any, send: Any) -> None:
            await go.wait()
            await take_all(scope, receive, send)

        site.application.run = sleep
        browser = await site.connect(get("/", "Transfer-Encoding: chunked", method="POST"))
        count = 20_000_000 // len(chunk)
        browser.send(chunk * count, b"0\r\n\r\n")
        await until(lambda: site.application.scopes)
        (connection,) = site.service.connections
        await until(lambda: connection.is_reading_paused)
        await asyncio.sleep(0.05)
        assert browser.writer.transport.get_write_buffer_size() > 5_000_000
        go.set()
        assert (await browser.read_response())[0] == 200
        await browser.close()

    async def test_body_that_came_with_pipelined_requests_has_its_time(self, start_site: StartSite) -> None:
        site = await start_site(idle_timeout=0.2)
        site.application.run = take_all
        browser = await site.connect(get("/one"), get("/two", "Content-Length: 100", method="POST"), b"abc")
        assert (await browser.read_response())[2] == "0"
        assert await browser.read_to_end() == b""
        await browser.close()

    @pytest.mark.parametrize("is_read", [True, False])
    @pytest.mark.parametrize("size", [65_536, 66_000, 70_000, 90_000, 100_000, 500_000])
    async def test_request_behind_a_large_body_is_answered(self, site: Site, size: int, is_read: bool) -> None:
        async def answer(scope: Any, receive: Any, send: Any) -> None:
            while is_read and (await receive())["more_body"]:
                pass
            await site.application.answer_path(scope, receive, send)

        site.application.run = answer
        browser = await site.connect(get("/a", f"Content-Length: {size}", method="POST"), b"x" * size)
        assert (await browser.read_response())[::2] == (200, "/a")
        if is_read or size <= 100_000:
            browser.send(NEXT)
            assert (await browser.read_to_end()).endswith(b"/next")
        await browser.close()


class TestClientsThatLeave:
    async def test_both_requests_before_half_a_close_are_answered(self, site: Site) -> None:
        async def wait(scope: Any, receive: Any, send: Any) -> None:
            await asyncio.sleep(0.05)
            await site.application.answer_path(scope, receive, send)

        site.application.run = wait
        browser = await site.connect(get("/a") + get("/b"))
        browser.writer.write_eof()
        answer = await browser.read_to_end()
        assert answer.count(b"HTTP/1.1 200 ") == 2
        await browser.close()

    async def test_half_a_close_within_a_response_ends_the_connection(self, start_site: StartSite) -> None:
        site = await start_site(idle_timeout=0.3)
        site.application.run = stream_without_end
        browser = await site.connect(get())
        await browser.read_head()
        browser.writer.write_eof()
        await until(lambda: not site.service.connections)
        await browser.close()

    async def test_what_is_refused_is_read_no_further(self, site: Site, caplog: pytest.LogCaptureFixture) -> None:
        body = b"".join(b"8000\r\n" + b"x" * 0x8000 + b"\r\n" for _ in range(9))
        browser = await site.connect(
            get("/a", "Transfer-Encoding: chunked", method="POST"), body, b"5\r\nhello\r\nZZ\r\n"
        )
        await browser.read_to_end()
        await browser.close()
        assert "Traceback" not in caplog.text and "write_eof" not in caplog.text

    async def test_half_a_close_before_the_response_is_waited_for(self, site: Site) -> None:
        go = asyncio.Event()

        async def late(scope: Any, receive: Any, send: Any) -> None:
            await go.wait()
            await site.application.answer_path(scope, receive, send)

        site.application.run = late
        browser = await site.connect(get("/late"))
        browser.writer.write_eof()
        await until(lambda: site.application.scopes)
        await asyncio.sleep(0.1)
        go.set()
        assert (await browser.read_to_end()).endswith(b"/late")
        await browser.close()

    @pytest.mark.parametrize("ends", [True, False], ids=["the last", "one of many"])
    async def test_who_has_a_response_then_may_take_its_time(self, site: Site, ends: bool) -> None:
        """Only for its beginning is the time bounded."""
        half_closed = site.service.half_closed
        waiting: list[bool] = []

        async def late(scope: Any, receive: Any, send: Any) -> None:
            await until(lambda: len(half_closed._due) == 1)
            waiting.append(True)
            await respond(200, [(b"content-length", b"20000000")], b"x" * 20_000_000)(scope, receive, send)

        site.application.run = late
        browser = await site.connect(get("/", *(["Connection: close"] if ends else [])))
        browser.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await until(lambda: site.service.connections)
        (connection,) = site.service.connections
        browser.writer.write_eof()
        await until(lambda: waiting and connection.transport.is_closing())
        assert not half_closed._due
        browser.writer.transport.resume_reading()  # type: ignore[attr-defined]
        assert len(await browser.read_to_end()) > 20_000_000
        await browser.close()

    async def test_but_not_for_ever(self, start_site: StartSite, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(service, "HALF_CLOSED_SECONDS", 0.1)
        site = await start_site()
        site.application.run = self.wait_for_the_end
        browser = await site.connect(get())
        browser.writer.write_eof()
        await until(lambda: site.application.messages[-1:] == [{"type": "http.disconnect"}])
        await browser.close()

    @staticmethod
    async def wait_for_the_end(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async def test_reset_is_told_at_once(self, site: Site) -> None:
        site.application.run = self.wait_for_the_end
        browser = await site.connect(get())
        await until(lambda: site.application.messages)
        browser.reset()
        await until(lambda: site.application.messages[-1:] == [{"type": "http.disconnect"}])

    async def test_close_within_the_response_is_told_at_once(self, site: Site) -> None:
        async def stream(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
            await self.wait_for_the_end(scope, receive, send)

        site.application.run = stream
        browser = await site.connect(get())
        await browser.read_head()
        browser.writer.write_eof()
        await until(lambda: site.application.messages[-1:] == [{"type": "http.disconnect"}])
        await browser.close()

    async def test_close_behind_more_requests_is_found_by_a_look(self, site: Site) -> None:
        async def stream(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
            await self.wait_for_the_end(scope, receive, send)

        site.application.run = stream
        browser = await site.connect(get(), NEXT)
        await browser.read_head()
        browser.writer.write_eof()
        await asyncio.sleep(0.05)
        list(site.service.requests.sweep())
        await until(lambda: site.application.messages[-1:] == [{"type": "http.disconnect"}])
        await browser.close()


class TestContexts:
    async def test_each_request_has_one_of_its_own(self, site: Site) -> None:
        async def note(scope: Any, receive: Any, send: Any) -> None:
            site.application.messages.append(NAMES.get())
            NAMES.set(scope["path"])
            await site.application.answer_path(scope, receive, send)

        site.application.run = note
        await site.ask(get("/a"), get("/b"), get("/c", "Connection: close"))
        assert site.application.messages == ["", "", ""]


class TestStop:
    async def test_request_that_is_cut_gets_503(self, site: Site, caplog: pytest.LogCaptureFixture) -> None:
        async def sleep(scope: Any, receive: Any, send: Any) -> None:
            await asyncio.Event().wait()

        site.application.run = sleep
        browser = await site.connect(get())
        await until(lambda: site.application.scopes)
        await site.service.requests.stop(0.01)
        assert (await browser.read_to_end()).startswith(b"HTTP/1.1 503 ")
        assert "Traceback" not in caplog.text
        await browser.close()

    async def test_time_for_an_answer_is_up(self, start_site: StartSite) -> None:
        clock = [0.0]
        site = await start_site(requests=Requests(answer_timeout=5.0, now=lambda: clock[0]))
        site.application.run = TestClientsThatLeave.wait_for_the_end
        browser = await site.connect(get())
        await until(lambda: site.application.scopes)
        clock[0] = 6.0
        list(site.service.requests.sweep())
        assert (await browser.read_to_end()).startswith(b"HTTP/1.1 503 ")
        await browser.close()
