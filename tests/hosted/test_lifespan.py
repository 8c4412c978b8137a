"""Lifespan, with applications of every kind."""

import asyncio
from typing import Any

import pytest
from awxfast.errors import StartError
from awxfast.hosted import lifespan as lifespans
from awxfast.hosted.lifespan import Lifespan
from servers import HANG


class Knowing:
    """Does what the protocol says."""

    def __init__(self, *, failure: str | None = None) -> None:
        self.failure = failure
        self.seen: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "lifespan"
        self.seen.append((await receive())["type"])
        scope["state"]["a"] = "b"
        if self.failure is not None:
            await send({"type": "lifespan.startup.failed", "message": self.failure})
            return
        await send({"type": "lifespan.startup.complete"})
        self.seen.append((await receive())["type"])
        await send({"type": "lifespan.shutdown.complete"})


async def raising(scope: Any, receive: Any, send: Any) -> None:
    raise ValueError("no lifespan here")


async def returning(scope: Any, receive: Any, send: Any) -> None:
    pass


async def plain_only(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200})


async def clinging(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await asyncio.Event().wait()


class TestLifespan:
    async def test_start_and_stop(self) -> None:
        application = Knowing()
        lifespan = Lifespan(application)
        await lifespan.start()
        assert (application.seen, lifespan.state) == (["lifespan.startup"], {"a": "b"})
        await lifespan.stop(HANG)
        assert application.seen == ["lifespan.startup", "lifespan.shutdown"]

    @pytest.mark.parametrize("application", [raising, returning, plain_only])
    async def test_application_that_does_not_know_it_starts_all_the_same(self, application: Any) -> None:
        lifespan = Lifespan(application)
        await lifespan.start()
        await lifespan.stop(HANG)

    @pytest.mark.parametrize(("message", "text"), [("no\ndatabase", "no database"), ("", "it does not say why")])
    async def test_application_that_can_not_start_ends_the_process(self, message: str, text: str) -> None:
        lifespan = Lifespan(Knowing(failure=message))
        with pytest.raises(StartError, match=f"the application can't start: {text}"):
            await lifespan.start()
        await lifespan.stop(HANG)

    async def test_application_that_does_not_end_is_cancelled(self) -> None:
        lifespan = Lifespan(clinging)
        await lifespan.start()
        await lifespan.stop(0.01)


async def silent(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.Event().wait()


class TestApplicationThatDoesNotAnswer:
    async def test_the_log_says_so_once(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert lifespans.SLOW_SECONDS == 5
        monkeypatch.setattr(lifespans, "SLOW_SECONDS", 0.01)
        starting = asyncio.ensure_future(Lifespan(silent).start())
        await asyncio.sleep(0.1)
        starting.cancel()
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert "has not answered lifespan.startup" in caplog.text

    async def test_its_end_is_not_waited_for(self) -> None:
        lifespan = Lifespan(silent)
        starting = asyncio.ensure_future(lifespan.start())
        await asyncio.sleep(0)
        starting.cancel()
        async with asyncio.timeout(HANG / 2):
            await lifespan.stop(HANG)


class TestEndOfTheProcess:
    @pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
    async def test_in_the_start_it_is_a_failed_start(self, error: BaseException) -> None:
        async def leaving(scope: Any, receive: Any, send: Any) -> None:
            raise error

        with pytest.raises(StartError, match=f"its lifespan ended with {type(error).__name__}"):
            await Lifespan(leaving).start()

    async def test_later_it_is_a_line_in_the_log(self, caplog: pytest.LogCaptureFixture) -> None:
        async def leaving(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await receive()
            raise SystemExit("no time")

        lifespan = Lifespan(leaving)
        await lifespan.start()
        await lifespan.stop(HANG)
        assert "The application's lifespan ended with SystemExit: no time" in caplog.text


class TestFailedShutdown:
    @pytest.mark.parametrize(
        ("message", "text"), [("queue\nnot empty", "queue not empty"), ("", "it does not say why")]
    )
    async def test_its_message_is_shown(self, message: str, text: str, caplog: pytest.LogCaptureFixture) -> None:
        async def failing(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.failed", "message": message})

        lifespan = Lifespan(failing)
        await lifespan.start()
        await lifespan.stop(HANG)
        assert f"its shutdown failed: {text}" in caplog.text
