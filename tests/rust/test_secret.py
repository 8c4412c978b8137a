"""The node secret against the standard library's hmac and json, and against captured headers."""

import hashlib
import hmac
import json
import re
from pathlib import Path
from typing import Any

import pytest
from awxfast._rust import SecretVerifier, sign_secret
from hypothesis import given
from hypothesis import strategies as st

CAPTURED = Path(__file__).resolve().parents[1] / "vectors"
VECTORS: list[dict[str, str]] = json.loads((CAPTURED / "secret-vectors.json").read_text())

NOW = 1_700_000_000
SECRET = "awxsecret"
HEADER = re.compile(rb"(?:HMAC-SHA256 )?([0-9]{1,20}):([0-9a-f]{64})")

secrets = st.text(min_size=1, max_size=100)


def digest_by_hand(secret: str, nonce: str) -> str:
    payload = json.dumps({"secret": secret, "nonce": nonce})
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def header_by_hand(secret: str, nonce: str | int) -> bytes:
    return f"HMAC-SHA256 {nonce}:{digest_by_hand(secret, str(nonce))}".encode()


def verdict_by_hand(secret: str, header: bytes, now: int) -> str:
    found = HEADER.fullmatch(header)
    if found is None:
        return "malformed"
    nonce, digest = (part.decode() for part in found.groups())
    if digest != digest_by_hand(secret, nonce):
        return "digest"
    return "ok" if abs(now - int(nonce)) <= 300 else "nonce"


def verify(header: bytes, now: int = NOW, **options: Any) -> tuple[str, int, int, bool]:
    return SecretVerifier([SECRET], **options).verify(header, now)


class TestVectors:
    @pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["payload"][:40])
    def test_header_is_signed_as_awx_does(self, vector: dict[str, str]) -> None:
        assert sign_secret(vector["secret"], int(vector["nonce"])) == vector["header"]

    @pytest.mark.parametrize("form", ["header", "document_form"])
    @pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["payload"][:40])
    def test_both_forms_are_accepted(self, vector: dict[str, str], form: str) -> None:
        verifier = SecretVerifier([vector["secret"]])
        assert verifier.verify(vector[form].encode(), int(vector["nonce"])) == ("ok", 0, 0, False)


class TestSigning:
    @given(secrets, st.integers(0, 2**64 - 1))
    def test_standard_library_agrees(self, secret: str, nonce: int) -> None:
        assert sign_secret(secret, nonce).encode() == header_by_hand(secret, nonce)

    @pytest.mark.parametrize("nonce", [-1, 2**64])
    def test_nonce_beyond_64_bits_raises(self, nonce: int) -> None:
        with pytest.raises(OverflowError):
            sign_secret(SECRET, nonce)


class TestVerdict:
    @given(secrets, st.integers(0, 10**20 - 1))
    def test_any_signed_header_is_accepted_at_its_time(self, secret: str, nonce: int) -> None:
        now = min(nonce, 2**63 - 1)
        verdict = "ok" if nonce - now <= 300 else "nonce"
        assert SecretVerifier([secret]).verify(header_by_hand(secret, nonce), now) == (verdict, 0, nonce - now, False)

    @given(st.data())
    def test_damaged_header_gets_the_verdict_of_the_rules(self, data: st.DataObject) -> None:
        header = bytearray(header_by_hand(SECRET, NOW))
        start = data.draw(st.integers(0, len(header)))
        end = data.draw(st.integers(start, min(start + 3, len(header))))
        header[start:end] = data.draw(st.binary(max_size=3) | st.sampled_from([b" ", b":", b"0", b"\n", b"A", b"-"]))
        assert verify(bytes(header))[0] == verdict_by_hand(SECRET, bytes(header), NOW)

    @pytest.mark.parametrize("nonce", ["017", "00000000001700000000", "99999999999999999999"])
    def test_digest_covers_the_nonce_as_received(self, nonce: str) -> None:
        assert verify(header_by_hand(SECRET, nonce), int(nonce) if int(nonce) < 2**63 else NOW)[1] == 0

    @pytest.mark.parametrize("nonce", ["", "+17", "-17", "1_7", "17.0", " 17", "\u0661\u0667", "0" * 21])
    def test_nonce_that_is_not_1_to_20_digits_is_malformed(self, nonce: str) -> None:
        assert verify(header_by_hand(SECRET, nonce), 17) == ("malformed", -1, 0, False)

    def test_two_headers_joined_by_the_server_are_malformed(self) -> None:
        header = header_by_hand(SECRET, NOW)
        assert verify(header + b"," + header)[0] == "malformed"

    def test_refusal_of_a_stranger_tells_neither_secret_nor_time(self) -> None:
        assert verify(header_by_hand("another", NOW - 1000)) == ("digest", -1, 0, False)


class TestWindow:
    @pytest.mark.parametrize(
        ("skew", "verdict"), [(-301, "nonce"), (-300, "ok"), (0, "ok"), (300, "ok"), (301, "nonce")]
    )
    def test_exactly_the_tolerance_is_valid_both_ways(self, skew: int, verdict: str) -> None:
        assert verify(header_by_hand(SECRET, NOW + skew)) == (verdict, 0, skew, False)

    def test_tolerance_is_an_option(self) -> None:
        assert verify(header_by_hand(SECRET, NOW - 5), tolerance=5)[0] == "ok"
        assert verify(header_by_hand(SECRET, NOW - 6), tolerance=5)[0] == "nonce"


class TestRotation:
    def test_each_secret_is_accepted_and_named_by_its_place(self) -> None:
        verifier = SecretVerifier(["new", "old"])
        assert verifier.verify(header_by_hand("new", NOW), NOW)[:2] == ("ok", 0)
        assert verifier.verify(header_by_hand("old", NOW), NOW)[:2] == ("ok", 1)
        assert verifier.verify(header_by_hand("older", NOW), NOW)[:2] == ("digest", -1)

    @pytest.mark.parametrize("known", [[], [""], ["", ""]])
    def test_no_secret_accepts_nobody(self, known: list[str]) -> None:
        assert SecretVerifier(known).verify(header_by_hand("", NOW), NOW)[:2] == ("digest", -1)

    def test_empty_secret_does_not_open_the_door_beside_another(self) -> None:
        verifier = SecretVerifier(["", SECRET])
        assert verifier.verify(header_by_hand("", NOW), NOW)[0] == "digest"
        assert verifier.verify(header_by_hand(SECRET, NOW), NOW)[:2] == ("ok", 1)


class TestRepeats:
    def test_header_seen_before_is_told(self) -> None:
        verifier = SecretVerifier([SECRET])
        header = header_by_hand(SECRET, NOW)
        assert [verifier.verify(header, now)[3] for now in (NOW, NOW, NOW + 300)] == [False, True, True]

    def test_replay_in_the_other_form_is_told(self) -> None:
        verifier = SecretVerifier([SECRET])
        header = header_by_hand(SECRET, NOW)
        verifier.verify(header, NOW)
        assert verifier.verify(header.removeprefix(b"HMAC-SHA256 "), NOW)[3]

    def test_refused_headers_are_not_remembered(self) -> None:
        verifier = SecretVerifier([SECRET])
        header = header_by_hand(SECRET, NOW)
        assert verifier.verify(header, NOW - 301) == ("nonce", 0, 301, False)
        assert verifier.verify(header, NOW) == ("ok", 0, 0, False)

    def test_memory_is_bounded(self) -> None:
        verifier = SecretVerifier([SECRET], remember=2)
        headers = [header_by_hand(SECRET, NOW + second) for second in range(3)]
        assert not any(verifier.verify(header, NOW)[3] for header in headers)
        assert [verifier.verify(header, NOW)[3] for header in reversed(headers)] == [True, True, False]


class TestSecrecy:
    def test_representation_shows_no_secret(self) -> None:
        verifier = SecretVerifier([SECRET])
        assert SECRET not in repr(verifier) + str(verifier) + repr(dir(verifier))
