"""What a relay does by itself, with rooms that only note what they are told. The rooms together: `test_serving`."""

import asyncio
from typing import Any, cast

import pytest
from awxfast.app import relay as relay_module
from awxfast.app.relay import Relay
from awxfast.errors import ConfigurationError
from awxfast.settings import Settings

HANG = 20


class Rooms:
    """Fan-out, feed and server in one."""

    def __init__(self) -> None:
        self.nodes = self
        self.token = "a token"
        self.addresses = ()
        self.served = 0
        self.said: list[Any] = []
        self.faults: dict[str, Exception] = {}
        self.redis_answers = asyncio.Event()
        self.redis_answers.set()

    def count_gap(self, reason: str, at_most: int) -> None:
        self.said.append((reason, at_most))

    def expect_recovery(self) -> None:
        self.said.append("expects recovery")

    def end_listening(self) -> None:
        self.said.append("ends listening")

    async def listen(self, listenings: Any) -> None:
        self.said.append("listens")

    def stop(self, *_: object) -> asyncio.Future[None]:
        self.said.append("stops")
        stopped = asyncio.get_running_loop().create_future()
        stopped.set_result(None)
        return stopped

    def begin_rest(self) -> None:
        self.said.append("rests")

    def reload(self) -> None:
        self.said.append("reload")
        if self.faults:
            raise self.faults.popitem()[1]

    def reload_keys(self) -> None:
        self.said.append("reload keys")


class Leaving(Relay):
    """A mode that only notes what it is to undo."""

    async def _undo_leaving(self) -> None:
        rooms = cast(Rooms, self._server)
        rooms.said.append("undone")
        await rooms.redis_answers.wait()

    async def leave_listening(self) -> None:
        """As a mode begins to leave."""
        self._begin_leaving()

    def have_left(self) -> None:
        """As a mode whose websockets are another process's."""
        self._has_left = True


def build(rooms: Rooms, **settings: Any) -> Leaving:
    parts = cast(Any, rooms)
    return Leaving(Settings(**settings), parts, parts, parts, None)


class TestPlace:
    def test_process_after_a_dead_one_counts_what_was_lost_and_keeps_its_groups(self) -> None:
        rooms = Rooms()
        build(rooms).follow_death(7)
        assert rooms.said == [("died", 7), "expects recovery"]

    def test_name_in_redis_is_the_feeds(self) -> None:
        assert build(Rooms()).token == "a token"


class TestGoingOn:
    async def test_one_that_did_not_begin_to_leave_has_nothing_to_undo(self) -> None:
        rooms = Rooms()
        await build(rooms).go_on()
        assert rooms.said == []

    async def test_one_that_nobody_took_the_place_of_listens_again_once(self) -> None:
        rooms = Rooms()
        relay = build(rooms)
        await relay.leave_listening()
        assert relay.can_go_on
        await relay.go_on()
        await relay.go_on()
        assert rooms.said == ["ends listening", "undone", "listens"]

    async def test_it_listens_before_redis_answers(self) -> None:
        rooms = Rooms()
        rooms.redis_answers.clear()
        relay = build(rooms)
        await relay.leave_listening()
        going_on = asyncio.ensure_future(relay.go_on())
        async with asyncio.timeout(HANG):
            while rooms.said[-1] != "listens":  # noqa: ASYNC110
                await asyncio.sleep(0)
        assert not going_on.done()
        rooms.redis_answers.set()
        await asyncio.wait_for(going_on, HANG)

    async def test_one_that_stops_pops_to_its_end_and_listens_no_more(self) -> None:
        rooms = Rooms()
        relay = build(rooms)
        await relay.leave_listening()
        await relay.stop()
        rooms.said.clear()
        await relay.go_on()
        assert rooms.said == ["undone"]

    async def test_one_whose_websockets_are_anothers_can_not(self) -> None:
        rooms = Rooms()
        relay = build(rooms)
        await relay.leave_listening()
        relay.have_left()
        assert not relay.can_go_on
        await relay.go_on()
        assert rooms.said == ["ends listening"]


class TestDraining:
    async def test_it_ends_with_the_last_client(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(relay_module, "LOOK_SECONDS", 0.001)
        rooms = Rooms()
        rooms.served = 1
        draining = asyncio.ensure_future(build(rooms, reload_drain=600.0).drain())
        await asyncio.sleep(0.01)
        assert not draining.done()
        rooms.served = 0
        await asyncio.wait_for(draining, HANG)

    async def test_those_who_stay_are_left_at_the_limit(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO")
        monkeypatch.setattr(relay_module, "LOOK_SECONDS", 0.001)
        rooms = Rooms()
        rooms.served = 2
        await asyncio.wait_for(build(rooms, reload_drain=0.01).drain(), HANG)
        assert "2 clients are closed" in caplog.text


class TestFiles:
    def test_fault_in_one_file_keeps_no_other_from_being_read(self, caplog: pytest.LogCaptureFixture) -> None:
        """The nodes' secrets, the layer's keys and the certificates, for all of which one room stands here."""
        rooms = Rooms()
        rooms.faults["secrets"] = ConfigurationError("--secret-file /s: it is empty")
        build(rooms).reload_files()
        assert rooms.said == ["reload", "reload keys", "reload"]
        assert "--secret-file /s: it is empty; the old one stays in force" in caplog.text
