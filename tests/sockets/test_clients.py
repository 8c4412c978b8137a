"""What the fan-out tells of nobody in particular."""

from awxfast._rust import NEWS_CAUGHT_UP
from awxfast.settings import Settings
from awxfast.sockets.clients import Clients


class TellingFanout:
    """Has one piece of news."""

    def take_news(self) -> list[tuple[int, int]]:
        return [(2**64 - 1, NEWS_CAUGHT_UP)]


class TestCaughtUp:
    def test_whoever_waits_for_the_fan_out_is_told(self) -> None:
        told: list[bool] = []
        Clients(TellingFanout(), Settings(), tell_caught_up=lambda: told.append(True)).dispatch_news()
        assert told == [True]
