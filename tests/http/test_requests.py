"""Requests that an application works on: when each begins. What becomes of them: `test_responses`."""

import asyncio
import contextvars

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope
from awxfast.http.cycle import Cycle
from awxfast.http.requests import TURN_REQUESTS, Requests
from awxfast.wire.handshake import Headers
from serving import until


class NoConnection:
    """A connection whose client takes everything."""

    def write(self, data: bytes) -> None: ...

    async def drain(self) -> None: ...

    def regulate(self) -> None: ...

    def describe_server(self) -> Headers:
        return []

    def end_response(self, *, keeps_alive: bool) -> None: ...

    def look(self) -> None: ...

    def cut(self) -> None: ...


class Application:
    """Answers each request with nothing."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        assert scope["type"] == "http"
        self.paths.append(scope["path"])
        await send({"type": "http.response.start", "status": 204, "headers": [], "trailers": False})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def begin(requests: Requests, application: Application, path: str) -> Cycle:
    """A whole request."""
    scope = {"type": "http", "method": "GET", "http_version": "1.1", "path": path, "client": None}
    cycle = Cycle(NoConnection(), scope, keeps_alive=True, expects_continue=False)
    requests.begin(cycle, application, contextvars.copy_context())
    cycle.receive_end()
    return cycle


class TestTurns:
    async def test_each_begins_in_the_order_in_which_it_came(self) -> None:
        requests, application = Requests(), Application()
        paths = [f"/{number}" for number in range(3 * TURN_REQUESTS)]
        for path in paths:
            begin(requests, application, path)
        assert requests.running == len(paths)
        await until(lambda: not requests.running)
        assert application.paths == paths

    async def test_one_whose_client_is_gone_before_its_turn_never_begins(self) -> None:
        requests, application = Requests(), Application()
        cycles = [begin(requests, application, f"/{number}") for number in range(3 * TURN_REQUESTS)]
        for cycle in cycles[TURN_REQUESTS:-1]:
            cycle.disconnect()
        await until(lambda: not requests.running)
        assert application.paths == [*(f"/{number}" for number in range(TURN_REQUESTS)), f"/{len(cycles) - 1}"]

    async def test_one_whose_client_goes_in_its_own_turn_never_begins(self) -> None:
        requests, application = Requests(), Application()
        cycles = [begin(requests, application, f"/{number}") for number in range(TURN_REQUESTS + 1)]
        requests._turns._begin()
        assert cycles[-1].turn is not None and cycles[-1].turn.done()
        cycles[-1].disconnect()
        await until(lambda: not requests.running)
        assert application.paths == [f"/{number}" for number in range(TURN_REQUESTS)]

    async def test_end_of_the_server_waits_for_those_whose_turn_is_to_come(self) -> None:
        requests, application = Requests(), Application()
        for number in range(3 * TURN_REQUESTS):
            begin(requests, application, f"/{number}")
        async with asyncio.timeout(60):
            await requests.stop(60)
        assert len(application.paths) == 3 * TURN_REQUESTS
