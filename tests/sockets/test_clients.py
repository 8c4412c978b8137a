"""What the fan-out tells of nobody in particular."""

from awxfast._rust import NEWS_CAUGHT_UP
from awxfast.settings import Settings
from awxfast.sockets.clients import Clients

TURN_NEWS = 128


class TellingFanout:
    """Has so many pieces of news."""

    def __init__(self, pieces: int) -> None:
        self.news = [(2**64 - 1, NEWS_CAUGHT_UP)] * pieces

    def take_news(self, most: int) -> list[tuple[int, int]]:
        taken, self.news = self.news[:most], self.news[most:]
        return taken


class TestCaughtUp:
    def test_whoever_waits_for_the_fan_out_is_told(self) -> None:
        told: list[bool] = []
        Clients(TellingFanout(1), Settings(), tell_caught_up=lambda: told.append(True)).dispatch_news()
        assert told == [True]

    def test_turn_has_so_much_news_and_the_next_the_others(self) -> None:
        told: list[bool] = []
        clients = Clients(TellingFanout(TURN_NEWS + 8), Settings(), tell_caught_up=lambda: told.append(True))
        clients.dispatch_news()
        assert len(told) == TURN_NEWS
        clients.dispatch_news()
        assert len(told) == TURN_NEWS + 8
