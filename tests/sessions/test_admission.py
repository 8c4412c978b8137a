"""Numbers, rates and origins, on a clock of the test's."""

import pytest
from awxfast.sessions.admission import TOO_FAST, TOO_MANY_CLIENTS, WRONG_ORIGIN, Admission
from awxfast.wire.handshake import Refusal
from awxfast.wire.request import Request


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


def request(*origins: bytes) -> Request:
    return Request("GET", "1.1", "/websocket/", headers=tuple((b"origin", origin) for origin in origins))


def refuse(admission: Admission, clients: int = 0, *origins: bytes) -> Refusal | None:
    return admission.refuse(request(*origins), clients)


class TestMaxClients:
    def test_the_last_place_is_given_away_and_no_more(self) -> None:
        admission = Admission(3, None, (), Clock())
        assert refuse(admission, 2) is None
        assert refuse(admission, 3) == TOO_MANY_CLIENTS

    def test_none_is_no_limit(self) -> None:
        assert refuse(Admission(None, None, (), Clock()), 10**9) is None


class TestAcceptRate:
    def test_a_seconds_worth_may_come_at_once_then_at_the_rate(self) -> None:
        clock = Clock()
        admission = Admission(None, 5, (), clock)
        assert [refuse(admission) for _ in range(6)] == [None] * 5 + [TOO_FAST]
        clock.time += 0.25
        assert [refuse(admission) for _ in range(2)] == [None, TOO_FAST]

    def test_quiet_times_are_not_saved_up(self) -> None:
        clock = Clock()
        admission = Admission(None, 2, (), clock)
        clock.time += 1000
        assert [refuse(admission) for _ in range(3)] == [None, None, TOO_FAST]

    def test_refused_for_other_reasons_takes_nothing(self) -> None:
        admission = Admission(1, 1, (), Clock())
        assert refuse(admission, 1) == TOO_MANY_CLIENTS
        assert refuse(admission, 0) is None


class TestOrigin:
    @pytest.mark.parametrize(
        "origin", [b"https://awx.example", b"http://AWX.example", b"https://awx.example:8443", b"https://other:9000"]
    )
    def test_host_is_let_in_with_or_without_a_port(self, origin: bytes) -> None:
        assert refuse(Admission(None, None, ("awx.example", "Other:9000"), Clock()), 0, origin) is None

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
        assert refuse(admission, 0, *origins) == WRONG_ORIGIN

    def test_programs_without_an_origin_are(self) -> None:
        assert refuse(Admission(None, None, ("awx.example",), Clock())) is None

    def test_without_the_option_everybody_is(self) -> None:
        assert refuse(Admission(None, None, (), Clock()), 0, b"https://evil.example") is None
