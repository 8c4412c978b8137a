"""Who may link, from the header alone; the rules of the header itself are tested with `_rust`."""

import asyncio
import json
from typing import Any

import pytest
from awxfast._rust import sign_secret
from awxfast.nodes import secret_gate as gates
from awxfast.nodes.secret_gate import Gate, Verdict, secret_header
from awxfast.wire.request import Request
from clocks import Clock
from hypothesis import given
from hypothesis import strategies as st

NOW = 1_700_000_000


def new_gate(*, secrets: tuple[str, ...] = ("s",), refuse: bool = False, clock: Clock | None = None) -> Gate:
    return Gate(secrets, tolerance=300, refuse_repeats=refuse, clock=clock or Clock(NOW))


def handshake(*values: bytes) -> Request:
    headers = tuple((b"secret", value) for value in values)
    return Request(method="GET", version="1.1", path="/websocket/relay/", headers=headers)


def signed(nonce: int = NOW, secret: str = "s") -> bytes:
    return sign_secret(secret, nonce).encode()


class TestHeader:
    def test_right_secret_is_let_in_with_its_skew(self) -> None:
        assert new_gate().check(handshake(signed(NOW - 7)), "a") == Verdict("", -7)

    @pytest.mark.parametrize("values", [[], [b""], [signed(), signed()], [signed() + b" "], [b"\xff"]])
    def test_header_that_is_none_is_malformed(self, values: list[bytes]) -> None:
        assert new_gate().check(handshake(*values), "a") == Verdict("malformed")

    def test_another_secret_proves_nothing(self) -> None:
        assert new_gate().check(handshake(signed(secret="t")), "a") == Verdict("digest")

    @pytest.mark.parametrize(("skew", "refused"), [(300, ""), (301, "nonce"), (-300, ""), (-301, "nonce")])
    def test_tolerance_is_inclusive_both_ways(self, skew: int, refused: str) -> None:
        verdict = new_gate().check(handshake(signed(NOW + skew)), "a")
        assert (verdict.refused, verdict.skew) == (refused, skew)

    def test_fraction_of_a_second_does_not_count(self) -> None:
        clock = Clock(NOW)
        clock.now += 0.999
        assert new_gate(clock=clock).check(handshake(signed(NOW - 300)), "a").refused == ""

    def test_second_secret_is_old(self) -> None:
        gate = new_gate(secrets=("new", "old"))
        assert gate.check(handshake(signed(secret="old")), "a").old_secret
        assert not gate.check(handshake(signed(secret="new")), "a").old_secret

    @given(st.lists(st.binary(max_size=120), max_size=3))
    def test_nothing_but_a_signed_header_is_let_in(self, values: list[bytes]) -> None:
        assert new_gate().check(handshake(*values), "a").refused

    @given(st.data())
    def test_damaged_header_is_refused(self, data: st.DataObject) -> None:
        header = bytearray(signed())
        position = data.draw(st.integers(0, len(header) - 1))
        header[position] = data.draw(st.integers(0, 255).filter(lambda byte: byte != signed()[position]))
        assert new_gate().check(handshake(bytes(header)), "a").refused


class TestRepeats:
    def check_twice(self, *, refuse: bool, later: int = 0, hosts: tuple[str, str] = ("a", "a")) -> Any:
        clock = Clock(NOW)
        gate = new_gate(refuse=refuse, clock=clock)
        assert gate.check(handshake(signed()), hosts[0]) == Verdict("", 0)
        clock.now += later
        return gate.check(handshake(signed()), hosts[1])

    def test_repeat_is_counted(self) -> None:
        assert self.check_twice(refuse=False) == Verdict("", 0, repeated=True)

    def test_repeat_from_another_address_names_the_first(self) -> None:
        assert self.check_twice(refuse=False, hosts=("a", "b")) == Verdict("", 0, repeated=True, first_from="a")

    def test_repeat_is_refused(self) -> None:
        assert self.check_twice(refuse=True).refused == "repeat"

    def test_repeat_from_another_address_is_refused(self) -> None:
        assert self.check_twice(refuse=True, hosts=("a", "b")).refused == "repeat"

    @pytest.mark.parametrize("refuse", [False, True])
    def test_beyond_the_window_the_nonce_refuses(self, refuse: bool) -> None:
        assert self.check_twice(refuse=refuse, later=301) == Verdict("nonce", -301)

    def test_within_the_window_a_repeat_is_known_to_its_end(self) -> None:
        assert self.check_twice(refuse=True, later=300).refused == "repeat"

    def test_other_form_of_a_header_is_a_repeat(self) -> None:
        gate = new_gate(refuse=True)
        assert not gate.check(handshake(signed()), "a").refused
        assert gate.check(handshake(signed().removeprefix(b"HMAC-SHA256 ")), "a").refused == "repeat"

    def test_next_second_is_no_repeat(self) -> None:
        gate = new_gate(refuse=True)
        assert not gate.check(handshake(signed(NOW)), "a").refused
        assert not gate.check(handshake(signed(NOW + 1)), "a").refused

    def test_repeats_are_known_after_a_change_of_secrets(self) -> None:
        gate = new_gate(refuse=True)
        assert not gate.check(handshake(signed()), "a").refused
        gate.accept_secrets(["t", "s"])
        assert gate.check(handshake(signed()), "a").refused == "repeat"
        assert not gate.check(handshake(signed(secret="t")), "a").refused
        gate.accept_secrets(["t"])
        assert gate.check(handshake(signed(NOW + 1)), "a").refused == "digest"

    def test_what_one_gate_reports_is_used_for_the_next(self) -> None:
        first, second = new_gate(refuse=True), new_gate(refuse=True)
        reported: list[str] = []
        first.share_used([], reported.append)
        for _ in range(2):
            first.check(handshake(signed()), "a")
            first.check(handshake(signed(secret="t")), "a")
        assert reported == [signed().decode()]
        second.share_used(reported, reported.append)
        assert second.check(handshake(signed()), "a").refused == "repeat"
        assert len(reported) == 1

    def test_step_of_the_clock_and_back_forgets_nothing(self) -> None:
        """Neither here nor in the gate of a process that starts meanwhile."""
        clock = Clock(NOW)
        first, second = new_gate(refuse=True, clock=clock), new_gate(refuse=True, clock=clock)
        assert not first.check(handshake(signed()), "a").refused
        clock.now += 9_000
        assert not first.check(handshake(signed(NOW + 9_000)), "a").refused
        second.share_used([signed().decode()], lambda _: None)
        clock.now -= 9_000
        assert [gate.check(handshake(signed()), "a").refused for gate in (first, second)] == ["repeat"] * 2

    def test_where_repeats_are_counted_nothing_is_shared(self) -> None:
        gate = new_gate()
        reported: list[str] = []
        gate.share_used([signed().decode()], reported.append)
        assert gate.check(handshake(signed()), "a") == Verdict("", 0)
        assert reported == []

    def test_senders_are_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(gates, "REMEMBERED", 2)
        gate = new_gate()
        for nonce in (NOW, NOW + 1, NOW + 2):
            gate.check(handshake(signed(nonce)), "a")
        assert gate.check(handshake(signed(NOW)), "b").first_from is None
        assert gate.check(handshake(signed(NOW + 2)), "b").first_from == "a"


class TestBesideOthers:
    """Other processes of this server serve at the same time: main knows what all of them have used."""

    def new_gate(self, answer: bool | Exception, *, refuse: bool) -> Gate:
        self.asked: list[str] = []

        async def claim(header: str) -> bool:
            self.asked.append(header)
            if isinstance(answer, Exception):
                raise answer
            return answer

        gate = new_gate(refuse=refuse)
        gate.claim = claim
        return gate

    async def check(self, gate: Gate, header: bytes | None = None) -> Verdict:
        request = handshake(header or signed())
        verdict = gate.check(request, "a")
        assert not verdict.refused
        return await gate.check_others(request, verdict)

    @pytest.mark.parametrize("refuse", [False, True])
    async def test_first_use_is_let_in(self, refuse: bool) -> None:
        assert await self.check(self.new_gate(True, refuse=refuse)) == Verdict("", 0)

    async def test_header_that_another_process_has_seen_is_refused(self) -> None:
        assert await self.check(self.new_gate(False, refuse=True)) == Verdict("repeat", 0, repeated=True)

    async def test_where_repeats_are_counted_it_is_counted(self) -> None:
        assert await self.check(self.new_gate(False, refuse=False)) == Verdict("", 0, repeated=True)

    @pytest.mark.parametrize("refuse", [False, True])
    async def test_without_an_answer_it_is_refused_where_repeats_are(self, refuse: bool) -> None:
        verdict = await self.check(self.new_gate(TimeoutError(), refuse=refuse))
        assert verdict == Verdict("unanswered" if refuse else "", 0)

    async def test_answer_that_does_not_come_is_not_waited_for_without_an_end(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(gates, "CLAIM_SECONDS", 0.01)
        gate = self.new_gate(True, refuse=True)

        async def hang(_: str) -> bool:
            await asyncio.Event().wait()
            return True

        gate.claim = hang
        assert (await self.check(gate)).refused == "unanswered"

    async def test_both_forms_of_a_header_are_one(self) -> None:
        gate = self.new_gate(True, refuse=True)
        await self.check(gate)
        await self.check(self.new_gate(True, refuse=True), signed().removeprefix(b"HMAC-SHA256 "))
        assert self.asked == [signed().decode().removeprefix("HMAC-SHA256 ")]

    def test_what_main_is_asked_about_is_not_reported_once_more(self) -> None:
        gate = self.new_gate(True, refuse=True)
        reported: list[str] = []
        gate.share_used([], reported.append)
        gate.check(handshake(signed()), "a")
        assert reported == []

    async def test_header_that_main_told_of_at_the_start_is_a_repeat(self) -> None:
        gate = self.new_gate(True, refuse=True)
        gate.share_used([signed().decode().removeprefix("HMAC-SHA256 ")], lambda _: None)
        assert gate.check(handshake(signed()), "a").refused == "repeat"


class TestFromOneProcessToTheNext:
    def test_header_that_was_used_before_is_a_repeat_after(self) -> None:
        before, after = new_gate(refuse=True), new_gate(refuse=True)
        before.check(handshake(signed()), "a")
        after.inherit(json.loads(json.dumps(before.freeze())))
        assert after.check(handshake(signed()), "b") == Verdict("repeat", 0, repeated=True, first_from="a")
        assert after.check(handshake(signed(NOW - 1)), "b").refused == ""


class TestLinesOfAHeader:
    @pytest.mark.parametrize(("values", "header"), [([], b""), ([b"a"], b"a"), ([b"a", b"a"], b"a,a")])
    def test_several_lines_are_one_with_commas(self, values: list[bytes], header: bytes) -> None:
        assert secret_header(values) == header
