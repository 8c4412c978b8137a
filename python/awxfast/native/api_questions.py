"""Which question to the application's API goes next: few at once, in turn by who asks, equal ones together.

However many wait for one answer, a turn of the event loop has it for some of them only: a handshake follows for each.
"""

import asyncio
import collections
import dataclasses
import functools
import ipaddress
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from awxfast.errors import TooManyQuestions
from awxfast.native.credentials import Credentials
from awxfast.turns import Turns
from awxfast.wire.request import UNIX_SOCKET

AT_ONCE = 64
MOST_WAITING = 1_024
"""Askers beside those, equal questions or not."""
TURN_ANSWERS = 16
"""As many are told in a turn of the loop."""

Answer = tuple[int, bytes]
"""An answer's status and body."""
IPV6_AREA = 64
"""How many bits of an IPv6 address are somebody's own choice no more (RFC 4291 section 2.5.1)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and in whose name."""

    url: str
    credentials: Credentials


class Party(NamedTuple):
    """Who waits in the same line: those of an address, or a `user` whose credentials the API knew before.

    A user has one line wherever they come from, and however many handshakes they send.
    """

    address: str = ""
    user: int | None = None

    @property
    def known(self) -> bool:
        """Whether they are somebody, so that invented credentials wait apart."""
        return self.user is not None


@dataclasses.dataclass(eq=False, slots=True)
class Asked:
    """A question that has no answer yet. `task` asks it, None while it waits."""

    question: Question
    party: Party
    askers: "dict[Asker, None]" = dataclasses.field(default_factory=dict)
    task: asyncio.Task[Answer] | None = None


@dataclasses.dataclass(eq=False, slots=True)
class Asker:
    """One who waits for the answer to a question, of which there may be more."""

    asked: Asked
    party: Party
    answer: asyncio.Future[Answer]


Waiting = collections.OrderedDict[Question, Asked]
"""What one party asks, in the order of its askers."""


class Questions:
    """Asks by `send`: `AT_ONCE` at most. `MOST_WAITING` more may wait, of whom the party with the most gives way.

    A question ends when nobody waits for its answer any more.
    """

    def __init__(self, send: Callable[[Question], Awaitable[Answer]]) -> None:
        self._send = send
        self._open: dict[Question, Asked] = {}
        self._lines: collections.OrderedDict[Party, Waiting] = collections.OrderedDict()
        self._askers: dict[Party, dict[Asker, None]] = {}
        self._running = 0
        self._waiting = 0
        self._turns = Turns(TURN_ANSWERS)

    async def ask(self, question: Question, party: Party) -> Answer:
        """The answer, or what `send` raised. Raises `TooManyQuestions` when there is no room to wait."""
        if self._waiting >= AT_ONCE + MOST_WAITING:
            self._make_room(party)
        asker = self._add_asker(question, party)
        try:
            return await asker.answer
        finally:
            self._remove_asker(asker)

    def _add_asker(self, question: Question, party: Party) -> Asker:
        asked = self._open.get(question) or self._add(question, party)
        asker = Asker(asked, party, asyncio.get_running_loop().create_future())
        asked.askers[asker] = None
        self._askers.setdefault(party, {})[asker] = None
        self._waiting += 1
        return asker

    def _remove_asker(self, asker: Asker) -> None:
        """It wants the answer no more; unless there is one, or it gave way before."""
        asked = asker.asked
        if asker in asked.askers:
            self._free_place(asker)
            if not asked.askers:
                self._drop(asked)

    def _free_place(self, asker: Asker) -> None:
        party = self._askers[asker.party]
        del party[asker], asker.asked.askers[asker]
        self._waiting -= 1
        if not party:
            del self._askers[asker.party]

    def _make_room(self, party: Party) -> None:
        """Sends away the last asker of the party that has the most, unless that would be the newcomer itself."""
        most = max(reversed(self._askers), key=lambda one: (len(self._askers[one]), not one.known))
        own = len(self._askers.get(party, ())) + 1
        if (len(self._askers[most]), not most.known) <= (own, not party.known):
            raise TooManyQuestions("too many questions wait for the application's API")
        last = next(reversed(self._askers[most]))
        self._remove_asker(last)
        if not last.answer.done():
            last.answer.set_exception(TooManyQuestions("others have fewer questions to the application's API"))

    def _add(self, question: Question, party: Party) -> Asked:
        asked = self._open[question] = Asked(question, party)
        if self._running < AT_ONCE:
            self._start(asked)
        else:
            self._lines.setdefault(party, collections.OrderedDict())[question] = asked
        return asked

    def _leave_line(self, asked: Asked) -> None:
        line = self._lines[asked.party]
        del line[asked.question]
        if not line:
            del self._lines[asked.party]

    def _start(self, asked: Asked) -> None:
        self._running += 1
        asked.task = asyncio.ensure_future(self._send(asked.question))
        asked.task.add_done_callback(lambda task: self._end(asked, task))

    def _start_next(self) -> None:
        """Each line in turn has its first asked."""
        while self._lines and self._running < AT_ONCE:
            party, line = next(iter(self._lines.items()))
            asked = next(iter(line.values()))
            self._lines.move_to_end(party)
            self._leave_line(asked)
            self._start(asked)

    def _end(self, asked: Asked, task: asyncio.Future[Answer]) -> None:
        """Tells all who wait for it, in turns. Whatever comes meanwhile, none of them gives way or takes a place."""
        self._running -= 1
        if self._open.get(asked.question) is asked:
            del self._open[asked.question]
        if not task.cancelled():
            task.exception()  # all who would hear of it may go before their turns
        for asker in list(asked.askers):
            self._free_place(asker)
            self._turns.call(1, functools.partial(settle, asker.answer, task))
        self._start_next()

    def _drop(self, asked: Asked) -> None:
        """Nobody waits for the answer any more."""
        if self._open.get(asked.question) is not asked:
            return
        del self._open[asked.question]
        if asked.task is None:
            self._leave_line(asked)
        else:
            asked.task.cancel()


def settle(answer: asyncio.Future[Answer], task: asyncio.Future[Answer]) -> None:
    """Gives a task's result to one who waits for the answer, unless it has gone."""
    if answer.done():
        return
    if task.cancelled():
        answer.cancel()
    elif error := task.exception():
        answer.set_exception(error)
    else:
        answer.set_result(task.result())


def read_area(client: tuple[str, int] | None) -> str:
    """Whom an address stands for: itself, or the network that an IPv6 address is chosen from."""
    if client is None:
        return UNIX_SOCKET
    try:
        address = ipaddress.ip_address(client[0].partition("%")[0])
    except ValueError:
        return client[0]  # a proxy wrote it
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, IPV6_AREA), strict=False))
