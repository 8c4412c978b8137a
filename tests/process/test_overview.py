"""Whoever looks has an answer in time, whatever the serving processes do. Stand-ins for them are real processes."""

import asyncio
import itertools
import time
from pathlib import Path

import pytest
from awxfast.process import roll_call, succession, supervisor
from awxfast.process.overview import Overview
from stand_ins import LOOKED_AT, Watched, wait_until

SHOWN = LOOKED_AT + "send(kind='serving')\nshow()\n"
ANSWERS = SHOWN + "while True: answer(receive())\n"
SILENT = SHOWN + "while receive()['kind'] != 'stop': pass\n"
SERVES_NOT = "time.sleep(600)"
STOPS_TO_ANSWER = (
    LOOKED_AT
    + """
send(kind="serving")
show()
while (message := receive())["kind"] != "reload_files": answer(message)
while receive()["kind"] != "stop": pass
"""
)
NEXT = (
    LOOKED_AT
    + """
if "inherits" in start:
    send(kind="ready", format=[1])
    counted = int(socket.socket(fileno=start["inherits"]).recv(9))
    show(inherited=True)
    time.sleep(0.3)
    send(kind="succeeded", kept=1, drained=0, silence=0.0)
else:
    counted = 99
    send(kind="serving")
    show()
while True:
    message = receive()
    if message["kind"] == "hand_over":
        way = socket.socket(fileno=start["passing"])
        heir = socket.socket(fileno=socket.recv_fds(way, 100, 1)[1][0])
        heir.send(str(counted).encode())
        break
    answer(message)
"""
)
DRAINS = (
    NEXT
    + """
send(kind="left")
while receive()["kind"] != "stop": pass
"""
)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roll_call, "ANSWER_LIMIT", 0.5)


def look_over(watched: Watched) -> Overview:
    return Overview(watched.workers, ["127.0.0.1:80"])


async def until_shown(watched: Watched) -> None:
    await watched.wait_until_serving()
    await wait_until(lambda: bool(watched.supervisor.list_present()[0]))


class TestOneThatAnswers:
    async def test_its_figures_are_those_of_the_moment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        watched = Watched(monkeypatch, ANSWERS)
        await until_shown(watched)
        overview = look_over(watched)
        views = [await overview.look() for _ in range(3)]
        assert [view.figures.ledger()["events"]["in"] for view in views] == [1, 2, 3]
        assert all(list(view.figures.unready_reasons()) == [] for view in views)
        assert await overview.list_hanging() == []
        assert await overview.list_slow_clients() == [{"client": 1, "frames": 5}]
        await watched.stop()

    async def test_many_questions_at_once_are_few_to_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        watched = Watched(monkeypatch, ANSWERS)
        await until_shown(watched)
        overview = look_over(watched)
        views = await asyncio.gather(*(overview.look() for _ in range(200)))
        assert max(view.figures.ledger()["events"]["in"] for view in views) <= 2
        await watched.stop()


class TestOneThatDoesNot:
    async def test_who_looks_has_what_it_told_last_and_hears_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        watched = Watched(monkeypatch, STOPS_TO_ANSWER)
        await until_shown(watched)
        overview = look_over(watched)
        await overview.look()
        watched.workers.reload_files()
        for _ in range(2):
            view = await overview.look()
            assert view.figures.ledger()["events"]["in"] == 1
            assert list(view.figures.unready_reasons()) == ["the serving process does not answer"]
        assert await overview.list_hanging() == ["the serving process does not answer"]
        assert await overview.list_slow_clients() == []
        await watched.stop()

    async def test_it_is_not_asked_again_and_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        watched = Watched(monkeypatch, SILENT)
        await until_shown(watched)
        (child,) = watched.supervisor._children
        sent: list[str] = []
        monkeypatch.setattr(child, "send", lambda kind, **_: sent.append(kind))
        overview = look_over(watched)
        for _ in range(3):
            await overview.look()
        assert sent == ["look"]
        monkeypatch.undo()
        await watched.stop()

    async def test_main_does_other_things_meanwhile(self, monkeypatch: pytest.MonkeyPatch) -> None:
        watched = Watched(monkeypatch, SILENT)
        await until_shown(watched)
        looking = asyncio.ensure_future(look_over(watched).look())
        turns = 0
        while not looking.done():
            await asyncio.sleep(0)
            turns += 1
        assert turns > 100
        await watched.stop()

    async def test_one_that_starts_is_not_waited_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(roll_call, "ANSWER_LIMIT", 600.0)
        watched = Watched(monkeypatch, SERVES_NOT)
        await wait_until(lambda: bool(watched.supervisor._children))
        overview = look_over(watched)
        assert await overview.list_hanging() == ["the serving process is starting"]
        assert list((await overview.look()).figures.unready_reasons()) == ["the serving process is starting"]
        await watched.stop()


class TestNobody:
    async def test_pages_are_there_with_all_that_was_counted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        watched = Watched(monkeypatch, SHOWN + "answer(receive())\nsys.exit(1)")
        await until_shown(watched)
        monkeypatch.setattr(supervisor, "CHILD_COMMAND", ("/nowhere/python",))
        overview = look_over(watched)
        await overview.look()
        await wait_until(lambda: not watched.supervisor._children)
        view = await overview.look()
        assert view.figures.ledger()["events"]["in"] == 1
        assert view.figures.about().addresses == ["127.0.0.1:80"]
        assert await overview.list_hanging() == ["no process serves, another one is to start"]
        await watched.stop()


class TestHandOver:
    async def test_who_looks_meanwhile_waits_for_the_new_one(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(roll_call, "ANSWER_LIMIT", 600.0)
        waits = f"while not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.01)"
        watched = Watched(monkeypatch, NEXT.replace("time.sleep(0.3)", waits))
        await until_shown(watched)
        overview = look_over(watched)
        replacing = asyncio.ensure_future(watched.workers.replace_child())
        letting_go = asyncio.ensure_future(self.let_go(watched, tmp_path / "go"))
        seen = []
        while not replacing.done():
            view = await overview.look()
            assert list(view.figures.unready_reasons()) == []
            assert await overview.list_hanging() == []
            seen.append(view.figures.ledger()["events"]["in"])
        assert letting_go.done(), "nobody looked while the new one had not said yet that it serves"
        assert (await replacing)["kept"] == 1
        seen.append((await overview.look()).figures.ledger()["events"]["in"])
        assert seen == sorted(seen)
        assert max(later - earlier for earlier, later in itertools.pairwise(seen)) <= 2, "both were counted"
        view = await overview.look()
        assert (view.place.generation, view.place.reloads) == (1, {"done": 1, "failed": 0})
        await watched.stop()

    async def let_go(self, watched: Watched, go: Path) -> None:
        """When the new one has told its figures, and somebody waits for it."""
        one = watched.supervisor
        await wait_until(lambda: one._heir is not None and one.tally.has_told(one._heir))
        await asyncio.to_thread(go.touch)

    async def test_new_one_that_tells_late_is_not_counted_beside_the_old_one(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """The old one has ended in order, and the new one takes long to read what it has left."""
        monkeypatch.setattr(succession, "OTHERS_WORD", 0.1)
        waits = f"while not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.01)\n    show(inherited=True)"
        watched = Watched(monkeypatch, NEXT.replace("show(inherited=True)", waits))
        await until_shown(watched)
        assert await watched.workers.replace_child() == {}
        (tmp_path / "go").touch()
        await wait_until(lambda: bool(watched.supervisor.list_present()[0]))
        view = await look_over(watched).look()
        assert view.figures.ledger()["events"]["in"] in (99, 100)
        await watched.stop()

    async def test_one_that_drains_and_hangs_makes_nobody_unwell(self, monkeypatch: pytest.MonkeyPatch) -> None:
        watched = Watched(monkeypatch, DRAINS)
        await until_shown(watched)
        await watched.workers.replace_child()
        overview = look_over(watched)
        with monkeypatch.context() as patient:
            patient.setattr(roll_call, "ANSWER_LIMIT", 600.0)
            assert await asyncio.wait_for(overview.list_hanging(), 30) == [], "who serves whoever comes is well"
        began = time.monotonic()
        assert list((await overview.look()).figures.unready_reasons()) == []
        assert watched.supervisor.draining == 1
        assert time.monotonic() - began >= roll_call.ANSWER_LIMIT, "it was asked"
        monkeypatch.setattr(roll_call, "ANSWER_LIMIT", 600.0)
        await asyncio.wait_for(overview.look(), 30)
        rows = await asyncio.wait_for(look_over(watched).list_slow_clients(), 30)
        assert rows == [{"client": 1, "frames": 5}]
        await watched.stop()

    async def test_one_that_has_hung_up_and_is_not_gone_yet_is_not_waited_for(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(roll_call, "ANSWER_LIMIT", 600.0)
        watched = Watched(monkeypatch, SHOWN + "receive()\nos.close(sock.detach())\nlines.close()\ntime.sleep(600)")
        await until_shown(watched)
        (child,) = watched.supervisor._children
        watched.workers.reload_files()
        await wait_until(lambda: not child.serves)
        assert await asyncio.wait_for(child.ask("look", "figures"), 30) is None
        child.kill()
        await watched.stop()
