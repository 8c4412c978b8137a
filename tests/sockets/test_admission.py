"""Numbers, rates and origins, on a clock of the test's."""

import os
from collections.abc import Iterator

import pytest
from awxfast.sockets.admission import TOO_FAST, TOO_MANY_CLIENTS, WRONG_HOST, WRONG_ORIGIN, Admission
from awxfast.system.shares import Shares
from awxfast.wire.handshake import Refusal
from awxfast.wire.request import Request
from clocks import Clock


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
        clock.now += 0.25
        assert [refuse(admission) for _ in range(2)] == [None, TOO_FAST]

    def test_quiet_times_are_not_saved_up(self) -> None:
        clock = Clock()
        admission = Admission(None, 2, (), clock)
        clock.now += 1000
        assert [refuse(admission) for _ in range(3)] == [None, None, TOO_FAST]

    def test_what_came_to_nothing_is_given_back(self) -> None:
        """Strangers use up nothing of those who can say who they are."""
        admission = Admission(None, 2, (), Clock())
        for _ in range(10):
            assert refuse(admission) is None
            admission.give_back()
        assert [refuse(admission) for _ in range(3)] == [None, None, TOO_FAST]

    def test_no_more_than_a_seconds_worth_is_given_back(self) -> None:
        admission = Admission(None, 2, (), Clock())
        for _ in range(10):
            admission.give_back()
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

    def test_the_port_that_browsers_leave_out_is_known(self) -> None:
        admission = Admission(None, None, ("awx.example:443", "[fd00::5]:80"), Clock())
        assert refuse(admission, 0, b"https://awx.example") is None
        assert refuse(admission, 0, b"http://[fd00::5]") is None
        assert refuse(admission, 0, b"http://awx.example") == WRONG_ORIGIN
        assert refuse(admission, 0, b"https://[fd00::5]") == WRONG_ORIGIN

    def test_programs_without_an_origin_are(self) -> None:
        assert refuse(Admission(None, None, ("awx.example",), Clock())) is None

    def test_without_the_option_everybody_is(self) -> None:
        assert refuse(Admission(None, None, (), Clock()), 0, b"https://evil.example") is None


class TestLocal:
    """`--auth open`: everybody on this machine, and no page from elsewhere that a browser here shows."""

    def refuse(
        self, *headers: tuple[bytes, bytes], origins: tuple[str, ...] = (), unix: bool = False
    ) -> Refusal | None:
        admission = Admission(None, None, origins, Clock(), local=True)
        server = None if unix else ("127.0.0.1", 8051)
        return admission.refuse(Request("GET", "1.1", "/websocket/", headers=headers, server=server), 0)

    @pytest.mark.parametrize("host", [b"localhost:8051", b"127.0.0.1:8051", b"127.1.2.3", b"[::1]:8051"])
    def test_hosts_of_this_machine_are_let_in(self, host: bytes) -> None:
        assert self.refuse((b"host", host)) is None

    @pytest.mark.parametrize("host", [b"evil.example", b"evil.example:8051", b"localhost.evil.example", b""])
    def test_names_that_lead_here_are_not(self, host: bytes) -> None:
        assert self.refuse((b"host", host)) is WRONG_HOST

    def test_without_one_host_nobody_is(self) -> None:
        assert self.refuse() is WRONG_HOST
        assert self.refuse((b"host", b"localhost"), (b"host", b"localhost")) is WRONG_HOST

    def test_on_a_unix_socket_any_host_is(self) -> None:
        assert self.refuse((b"host", b"awx.example"), unix=True) is None

    @pytest.mark.parametrize("origin", [b"http://localhost:3000", b"http://127.0.0.1", b"https://[::1]:8443"])
    def test_pages_of_this_machine_are(self, origin: bytes) -> None:
        assert self.refuse((b"host", b"localhost"), (b"origin", origin)) is None

    @pytest.mark.parametrize(
        "origin", [b"https://evil.example", b"null", b"file://", b"", b"chrome-extension://localhost", b"//localhost"]
    )
    @pytest.mark.parametrize("unix", [False, True])
    def test_pages_from_elsewhere_are_not(self, origin: bytes, unix: bool) -> None:
        assert self.refuse((b"host", b"localhost"), (b"origin", origin), unix=unix) is WRONG_ORIGIN

    def test_a_site_that_is_named_is(self) -> None:
        """Its proxy passes its own Host and Origin on."""
        headers = ((b"host", b"awx.example"), (b"origin", b"https://awx.example"))
        assert self.refuse(*headers) is WRONG_ORIGIN
        assert self.refuse(*headers, origins=("awx.example",)) is None
        assert self.refuse(*headers, origins=("other.example",)) is WRONG_ORIGIN

    def test_a_site_that_is_named_takes_the_place_of_this_machines_pages(self) -> None:
        headers = ((b"host", b"localhost:8051"), (b"origin", b"http://localhost:3000"))
        assert self.refuse(*headers) is None
        assert self.refuse(*headers, origins=("awx.example",)) is WRONG_ORIGIN
        assert self.refuse(*headers, origins=("awx.example", "localhost")) is None
        assert self.refuse((b"host", b"awx.example"), origins=("awx.example:443",)) is None


class TestAllowed:
    """What the log says beside a refusal, so that whoever reads it sees what is missing."""

    def test_names_that_would_have_been_let_in(self) -> None:
        admission = Admission(None, None, ("b.example", "A.example"), Clock())
        assert admission.name_allowed(WRONG_ORIGIN) == "a.example, b.example"
        assert admission.name_allowed(TOO_FAST) == ""

    def test_this_machines_where_only_they_are(self) -> None:
        local = "localhost, 127.0.0.0/8, [::1]"
        assert Admission(None, None, (), Clock(), local=True).name_allowed(WRONG_ORIGIN) == local
        admission = Admission(None, None, ("a.example",), Clock(), local=True)
        assert admission.name_allowed(WRONG_ORIGIN) == "a.example"
        assert admission.name_allowed(WRONG_HOST) == f"{local}, a.example"


class TestSeveralProcesses:
    """Limits are for all of them together."""

    @pytest.fixture
    def shares(self) -> Iterator[tuple[Shares, Shares]]:
        table = Shares.create(2)
        both = Shares.open(os.dup(table.descriptor), 0), Shares.open(os.dup(table.descriptor), 1)
        for one in both:
            one.begin(1)
        yield both
        for one in (*both, table):
            one.close()

    def test_clients_of_all_are_counted(self, shares: tuple[Shares, Shares]) -> None:
        first, second = (Admission(5, None, (), Clock(), shares=one) for one in shares)
        shares[1].own.websockets = 3
        assert refuse(first, 1) is None
        assert refuse(first, 2) == TOO_MANY_CLIENTS
        shares[1].own.websockets = 2
        assert refuse(first, 2) is None
        assert refuse(second, 2) == TOO_MANY_CLIENTS

    def test_of_two_who_want_the_last_place_at_most_one_has_it(self, shares: tuple[Shares, Shares]) -> None:
        first, second = (Admission(1, None, (), Clock(), shares=one) for one in shares)
        assert [refuse(first, 0), refuse(second, 0)] == [None, TOO_MANY_CLIENTS]

    def test_who_is_refused_takes_no_place(self, shares: tuple[Shares, Shares]) -> None:
        first, second = (Admission(3, 1, (), Clock(), shares=one) for one in shares)
        assert refuse(first, 2) is None
        shares[0].own.websockets = 1
        assert refuse(second, 1) == TOO_FAST
        assert refuse(second, 2) == TOO_MANY_CLIENTS
        assert [one.own.websockets for one in shares] == [1, 2]

    def test_clients_of_one_that_listens_no_more_count_once(self, shares: tuple[Shares, Shares]) -> None:
        """Until another process has its row it is in the midst of a hand-over: all that it has is there still."""
        admission = Admission(100, None, (), Clock(), shares=shares[0])
        for one in shares:
            one.own.websockets = 40
        shares[0].end()
        assert refuse(admission, 40) is None
        assert shares[0].own.websockets == 41
        shares[1].own.websockets = 59
        assert refuse(admission, 41) == TOO_MANY_CLIENTS
        assert shares[0].own.websockets == 41

    def test_one_whose_row_another_has_counts_with_all_others(self, shares: tuple[Shares, Shares]) -> None:
        shares[0].end()
        shares[0].own.pid, shares[0].own.websockets, shares[1].own.websockets = os.getpid() + 1, 2, 3
        admission = Admission(6, None, (), Clock(), shares=shares[0])
        assert refuse(admission, 0) is None
        assert refuse(admission, 1) == TOO_MANY_CLIENTS
        assert shares[0].own.websockets == 2
