"""Who is asked about next, with an API of the test's that answers when it is told to."""

import asyncio
import contextlib
import gc
from collections.abc import Callable, Iterator

import pytest
from awxfast.errors import AccessUnavailable, TooManyQuestions
from awxfast.native import api_questions
from awxfast.native.api_questions import TURN_ANSWERS, Answer, Party, Question, Questions, read_area
from awxfast.native.credentials import Credentials
from serving import HANG

OFFICE = Party("203.0.113.7")
ELSEWHERE = Party("198.51.100.9")
YES = (200, b"{}")


class Api:
    """What is being asked now, by the cookie of who asks."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.running: dict[str, asyncio.Future[Answer]] = {}
        self.questions = Questions(self.send)

    async def send(self, question: Question) -> Answer:
        name = question.credentials.headers[0][1]
        self.asked.append(name)
        self.running[name] = asyncio.get_running_loop().create_future()
        try:
            return await self.running[name]
        finally:
            del self.running[name]

    async def answer(self, *names: str) -> None:
        for name in names or list(self.running):
            self.running[name].set_result(YES)
        await settle()

    async def answer_all(self) -> None:
        while self.running:
            await self.answer()


async def settle() -> None:
    for _ in range(6):
        await asyncio.sleep(0)


class Askers:
    """Tasks that ask, and are ended with the test."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.tasks: list[asyncio.Task[Answer]] = []

    async def ask(self, *names: str, party: Party = OFFICE) -> list[asyncio.Task[Answer]]:
        asking = [asyncio.create_task(self._api.questions.ask(ask_for(name), party)) for name in names]
        self.tasks += asking
        await settle()
        return asking


def ask_for(name: str, url: str = "http://api/me/") -> Question:
    return Question(url, Credentials((("cookie", name),)))


def number(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{n}" for n in range(count)]


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def askers(api: Api) -> Iterator[Askers]:
    made = Askers(api)
    yield made
    for task in made.tasks:
        task.cancel()


def few(monkeypatch: pytest.MonkeyPatch, at_once: int, waiting: int) -> None:
    monkeypatch.setattr(api_questions, "AT_ONCE", at_once)
    monkeypatch.setattr(api_questions, "MOST_WAITING", waiting)


class TestTurns:
    async def test_64_are_asked_at_once_and_the_next_when_one_has_its_answer(self, api: Api, askers: Askers) -> None:
        await askers.ask(*number("a", 70))
        assert api.asked == number("a", 64)
        await api.answer("a5", "a3")
        assert api.asked == number("a", 66)

    async def test_1000_of_one_office_have_their_answers_in_turn(self, api: Api, askers: Askers) -> None:
        asking = await askers.ask(*number("a", 1000))
        await api.answer_all()
        assert [task.result() for task in asking] == [YES] * 1000
        assert api.asked == number("a", 1000)

    async def test_somebody_from_elsewhere_comes_before_an_offices_second(
        self, api: Api, askers: Askers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        few(monkeypatch, 1, 100)
        await askers.ask(*number("a", 50))
        await askers.ask("b0", "b1", party=ELSEWHERE)
        for _ in range(4):
            await api.answer()
        assert api.asked == ["a0", "a1", "b0", "a2", "b1"]

    async def test_who_is_known_does_not_wait_behind_the_strangers_of_the_same_address(
        self, api: Api, askers: Askers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        few(monkeypatch, 1, 100)
        await askers.ask(*number("a", 50))
        await askers.ask("b0", party=Party(user=7))
        await api.answer()
        await api.answer()
        assert api.asked == ["a0", "a1", "b0"]


class TestOneUser:
    """With cookies of their own beside a session's, so that no question equals another."""

    async def test_others_of_the_same_address_do_not_wait_behind_them(self, api: Api, askers: Askers) -> None:
        await askers.ask(*(f"a{number}" for number in range(500)), party=Party(user=7))
        await askers.ask("b0", party=Party(user=8))
        await askers.ask("c0", party=OFFICE)
        await api.answer("a0", "a1", "a2")
        assert {"b0", "c0"} <= set(api.asked)

    async def test_they_fill_no_more_than_one_line_and_give_way(
        self, api: Api, askers: Askers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(api_questions, "MOST_WAITING", 10)
        theirs = await askers.ask(*(f"a{number}" for number in range(api_questions.AT_ONCE + 20)), party=Party(user=7))
        (other,) = await askers.ask("b0", party=Party(user=8))
        (stranger,) = await askers.ask("c0", party=OFFICE)
        await api.answer_all()
        assert await other == await stranger == YES
        assert sum(isinstance(task.exception(), TooManyQuestions) for task in theirs) == 12


class TestBound:
    async def test_one_too_many_is_turned_away_and_the_others_are_answered(self, api: Api, askers: Askers) -> None:
        asking = await askers.ask(*number("a", 64 + 1024 + 1))
        with pytest.raises(TooManyQuestions):
            asking[-1].result()
        await api.answer_all()
        await asyncio.wait(asking, timeout=HANG)
        assert [task.result() for task in asking[:-1]] == [YES] * 1088

    async def test_the_longest_line_gives_way_to_somebody_from_elsewhere(
        self, api: Api, askers: Askers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        few(monkeypatch, 1, 4)
        asking = await askers.ask(*number("a", 5))
        (other,) = await askers.ask("b0", party=ELSEWHERE)
        with pytest.raises(TooManyQuestions):
            asking[-1].result()
        await api.answer_all()
        assert other.result() == YES
        assert [task.result() for task in asking[:-1]] == [YES] * 4

    async def test_among_equals_the_newcomer_is_turned_away_unless_it_is_known(
        self, api: Api, askers: Askers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        few(monkeypatch, 1, 2)
        await askers.ask("a0")
        (first,) = await askers.ask("b0", party=ELSEWHERE)
        (second,) = await askers.ask("c0", party=Party("192.0.2.1"))
        (third,) = await askers.ask("d0", party=Party("192.0.2.2"))
        (known,) = await askers.ask("e0", party=Party(user=7))
        await api.answer_all()
        assert [task.exception() is None for task in (first, second, third, known)].count(False) == 2
        assert third.exception() is not None
        assert known.result() == YES


class TestEqualQuestions:
    async def test_they_are_asked_once_and_all_have_the_answer(self, api: Api, askers: Askers) -> None:
        asking = await askers.ask("a", "a", "a")
        assert api.asked == ["a"]
        await api.answer()
        assert [task.result() for task in asking] == [YES] * 3

    async def test_who_leaves_takes_nothing_from_the_others(self, api: Api, askers: Askers) -> None:
        first, second = await askers.ask("a", "a")
        first.cancel()
        await settle()
        await api.answer()
        assert first.cancelled()
        assert second.result() == YES

    async def test_other_credentials_or_another_url_are_another_question(self, api: Api, askers: Askers) -> None:
        await askers.ask("a", "b")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(api.questions.ask(ask_for("a", "http://api/jobs/1/"), OFFICE), 0.01)
        assert api.asked == ["a", "b", "a"]

    async def test_after_the_answer_it_is_asked_again(self, api: Api, askers: Askers) -> None:
        await askers.ask("a")
        await api.answer()
        await askers.ask("a")
        assert api.asked == ["a", "a"]

    async def test_a_turn_of_the_loop_has_the_answer_for_some_of_them_only(self, api: Api, askers: Askers) -> None:
        """A handshake follows for each: with 1,000 of them the server would stand still for a second."""
        asking = await askers.ask(*["a"] * 1000)
        api.running["a"].set_result(YES)
        told, most = 0, 0
        while told < len(asking):
            await asyncio.sleep(0)
            told, before = sum(task.done() for task in asking), told
            most = max(most, told - before)
        assert most <= 2 * TURN_ANSWERS, "who was told and who has its turn at once may meet"
        assert {task.result() for task in asking} == {YES}

    async def test_askers_are_bounded_and_those_who_have_fewest_have_their_answer(
        self, api: Api, askers: Askers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        few(monkeypatch, 1, 9)
        asking = await askers.ask(*["a"] * 12)
        (other,) = await askers.ask("b", party=ELSEWHERE)
        (same,) = await askers.ask("a", party=ELSEWHERE)
        await api.answer_all()
        await asyncio.wait([*asking, other, same], timeout=HANG)
        assert other.result() == same.result() == YES
        refused = [isinstance(task.exception(), TooManyQuestions) for task in asking]
        assert refused == [False] * 8 + [True] * 4

    async def test_a_failure_is_told_to_all(self, api: Api, askers: Askers) -> None:
        asking = await askers.ask("a", "a")
        api.running["a"].set_exception(AccessUnavailable("the API is down"))
        await settle()
        for task in asking:
            with pytest.raises(AccessUnavailable, match="down"):
                task.result()


class TestAnswered:
    """Those who wait only for the turn in which they are told."""

    @pytest.fixture
    def turns(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], None]]:
        """That are to come when the test says so."""
        waiting: list[Callable[[], None]] = []
        monkeypatch.setattr(api.questions._turns, "call", lambda _, callback: waiting.append(callback))
        return waiting

    async def test_none_gives_way_nor_takes_a_place(
        self, api: Api, askers: Askers, turns: list[Callable[[], None]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        few(monkeypatch, 1, 9)
        asking = await askers.ask(*["a"] * 10)
        await api.answer()
        others = [*await askers.ask(*["b"] * 9), *await askers.ask("b", party=ELSEWHERE)]
        for turn in turns:
            turn()
        await api.answer()
        for turn in turns:
            turn()
        await settle()
        assert [task.result() for task in [*asking, *others]] == [YES] * 20

    async def test_a_failure_is_nobodys_when_all_have_gone_before_their_turns(
        self, api: Api, askers: Askers, turns: list[Callable[[], None]]
    ) -> None:
        reported: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
        asking = await askers.ask(*["a"] * 3)
        api.running["a"].set_exception(AccessUnavailable("the API is down"))
        await settle()
        for task in asking:
            task.cancel()
        await settle()
        while turns:
            turns.pop()()
        assert [task.cancelled() for task in asking] == [True] * 3
        askers.tasks.clear()
        del asking, task  # whose tracebacks have what they asked
        gc.collect()
        assert reported == []


class TestWhoLeaves:
    async def test_a_question_ends_with_the_last_who_asks_it(self, api: Api, askers: Askers) -> None:
        asking = await askers.ask("a", "a")
        for task in asking:
            task.cancel()
        await settle()
        assert not api.running

    async def test_who_left_while_waiting_is_never_asked_about(self, api: Api, askers: Askers) -> None:
        asking = await askers.ask(*number("a", 5000))
        for task in asking:
            task.cancel()
        await askers.ask("b", party=ELSEWHERE)
        await settle()
        assert api.asked == [*number("a", 64), "b"]
        assert list(api.running) == ["b"]

    async def test_one_that_had_not_begun_gives_its_place_back(self, api: Api, askers: Askers) -> None:
        for _ in range(100):
            task = asyncio.create_task(api.questions.ask(ask_for("a"), OFFICE))
            await asyncio.sleep(0)
            task.cancel()
            await settle()
        await askers.ask("b")
        assert list(api.running) == ["b"]

    async def test_nothing_is_kept_of_what_is_over(self, api: Api, askers: Askers) -> None:
        asking = await askers.ask(*number("a", 100))
        for task in asking[::2]:
            task.cancel()
        await settle()
        await api.answer_all()
        await asyncio.wait(asking, timeout=HANG)
        waits = api.questions
        assert (waits._open, waits._lines, waits._askers, waits._running, waits._waiting) == ({}, {}, {}, 0, 0)


class TestArea:
    @pytest.mark.parametrize(
        ("client", "area"),
        [
            (("203.0.113.7", 1), "203.0.113.7"),
            (("::ffff:203.0.113.7", 1), "203.0.113.7"),
            (("2001:db8:1:2:3:4:5:6", 1), "2001:db8:1:2::/64"),
            (("fe80::1%eth0", 1), "fe80::/64"),
            (("a proxy's word", 0), "a proxy's word"),
            (None, "unix"),
        ],
    )
    def test_it_is_what_one_client_can_not_choose_freely(self, client: tuple[str, int] | None, area: str) -> None:
        assert read_area(client) == area
