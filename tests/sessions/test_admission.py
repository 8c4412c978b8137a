"""Numbers, rates and origins, on a clock of the test's."""

import pytest
from awxfast.sessions.admission import Admission
from awxfast.wire.request import Request


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


def request(*origins: bytes) -> Request:
    return Request("GET", "1.1", "/websocket/", headers=tuple((b"origin", origin) for origin in origins))


def reason(admission: Admission, clients: int = 0, *origins: bytes) -> str | None:
    refusal = admission.refuse(request(*origins), clients)
    return refusal.reason if refusal else None


class TestMaxClients:
    def test_the_last_place_is_given_away_and_no_more(self) -> None:
        admission = Admission(3, None, (), Clock())
        assert reason(admission, 2) is None
        assert reason(admission, 3) == "max_clients"

    def test_none_is_no_limit(self) -> None:
        assert reason(Admission(None, None, (), Clock()), 10**9) is None


class TestAcceptRate:
    def test_a_seconds_worth_may_come_at_once_then_at_the_rate(self) -> None:
        clock = Clock()
        admission = Admission(None, 5, (), clock)
        assert [reason(admission) for _ in range(6)] == [None] * 5 + ["accept_rate"]
        clock.time += 0.25
        assert [reason(admission) for _ in range(2)] == [None, "accept_rate"]

    def test_quiet_times_are_not_saved_up(self) -> None:
        clock = Clock()
        admission = Admission(None, 2, (), clock)
        clock.time += 1000
        assert [reason(admission) for _ in range(3)] == [None, None, "accept_rate"]

    def test_refused_for_other_reasons_takes_nothing(self) -> None:
        admission = Admission(1, 1, (), Clock())
        assert reason(admission, 1) == "max_clients"
        assert reason(admission, 0) is None


class TestOrigin:
    @pytest.mark.parametrize(
        "origin", [b"https://awx.example", b"http://AWX.example", b"https://awx.example:8443", b"https://other:9000"]
    )
    def test_host_is_let_in_with_or_without_a_port(self, origin: bytes) -> None:
        assert reason(Admission(None, None, ("awx.example", "Other:9000"), Clock()), 0, origin) is None

    @pytest.mark.parametrize(
        "origins",
        [
            [b"https://evil.example"],
            [b"https://awx.example.evil"],
            [b"https://evil.example/awx.example"],
            [b"https://other"],
            [b"https://other:9001"],
            [b"null"],
            [b""],
            [b"https://["],
            [b"https://awx.example", b"https://evil.example"],
        ],
    )
    def test_others_are_not(self, origins: list[bytes]) -> None:
        admission = Admission(None, None, ("awx.example", "other:9000"), Clock())
        assert reason(admission, 0, *origins) == "origin"

    def test_programs_without_an_origin_are(self) -> None:
        assert reason(Admission(None, None, ("awx.example",), Clock())) is None

    def test_without_the_option_everybody_is(self) -> None:
        assert reason(Admission(None, None, (), Clock()), 0, b"https://evil.example") is None
