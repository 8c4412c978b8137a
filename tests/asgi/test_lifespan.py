"""Lifespan, with applications of every kind."""

import asyncio
from typing import Any

import pytest
from awxfast.asgi.lifespan import Lifespan
from awxfast.errors import StartError
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
