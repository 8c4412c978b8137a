"""The opening handshake: what real browsers and proxies write, subprotocols, and the bytes of both answers."""

import base64
import os

import pytest
from awxfast.wire.handshake import (
    UPGRADE_REQUIRED,
    Handshake,
    Refusal,
    accept_key,
    check_handshake,
    encode_acceptance,
    encode_refusal,
    wants_websocket,
)
from awxfast.wire.request import Request

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="

Header = tuple[bytes, bytes]


def upgrade(*more: Header, key: bytes = KEY, version: bytes = b"13") -> Request:
    headers = (
        (b"connection", b"Upgrade"),
        (b"upgrade", b"websocket"),
        (b"sec-websocket-key", key),
        (b"sec-websocket-version", version),
        *more,
    )
    return Request("GET", "1.1", "/websocket/", b"", headers)


def refusal_of(request: Request) -> Refusal:
    decision = check_handshake(request)
    assert isinstance(decision, Refusal)
    return decision


class TestWantsWebsocket:
    """tarasko/picows#115: what real browsers and proxies write."""

    @pytest.mark.parametrize(
        "headers",
        [
            [(b"connection", b"Upgrade"), (b"upgrade", b"websocket")],
            [(b"connection", b"keep-alive, Upgrade"), (b"upgrade", b"websocket")],
            [(b"connection", b"Upgrade, HTTP2-Settings"), (b"upgrade", b"websocket")],
            [(b"connection", b"keep-alive"), (b"connection", b"Upgrade"), (b"upgrade", b"websocket")],
            [(b"connection", b"Upgrade"), (b"connection", b"keep-alive"), (b"upgrade", b"websocket")],
            [(b"connection", b"UPGRADE"), (b"upgrade", b"WebSocket")],
            [(b"connection", b"upgrade"), (b"upgrade", b"h2c, websocket")],
            [(b"connection", b"upgrade"), (b"upgrade", b"h2c"), (b"upgrade", b"websocket")],
        ],
    )
    def test_upgrade_is_recognised(self, headers: list[Header]) -> None:
        assert wants_websocket("1.1", headers)

    @pytest.mark.parametrize(
        "headers",
        [
            [],
            [(b"upgrade", b"websocket")],
            [(b"connection", b"upgrade")],
            [(b"connection", b"keep-alive"), (b"upgrade", b"websocket")],
            [(b"connection", b"upgrade"), (b"upgrade", b"h2c")],
            [(b"connection", b"upgrade"), (b"upgrade", b"websocket2")],
        ],
    )
    def test_other_requests_are_plain(self, headers: list[Header]) -> None:
        assert not wants_websocket("1.1", headers)

    def test_http_1_0_can_not_upgrade(self) -> None:
        assert not wants_websocket("1.0", [(b"connection", b"upgrade"), (b"upgrade", b"websocket")])


class TestCheckHandshake:
    def test_valid_request_gets_the_key_of_the_rfc(self) -> None:
        assert check_handshake(upgrade()) == Handshake(b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")

    @pytest.mark.parametrize("version", [b"12", b"8", b"", b"14", b"13, 8"])
    def test_other_versions_get_426_with_the_one_spoken(self, version: bytes) -> None:
        refusal = refusal_of(upgrade(version=version))
        assert refusal.status == 426
        assert (b"sec-websocket-version", b"13") in refusal.headers
        assert (b"upgrade", b"websocket") in refusal.headers

    @pytest.mark.parametrize(
        "key",
        [
            b"",
            b"AAAA",
            base64.b64encode(bytes(15)),
            base64.b64encode(bytes(17)),
            KEY.rstrip(b"="),
            KEY[:-3] + b"*==",
            b" " + KEY[1:],
            b"\xff" * 24,
        ],
    )
    def test_key_that_is_not_16_bytes_of_base64_gets_400(self, key: bytes) -> None:
        assert refusal_of(upgrade(key=key)).status == 400

    def test_request_without_a_key_gets_400(self) -> None:
        request = upgrade()
        keyless = tuple(header for header in request.headers if header[0] != b"sec-websocket-key")
        assert refusal_of(Request("GET", "1.1", "/websocket/", b"", keyless)).status == 400

    def test_two_keys_get_400(self) -> None:
        assert refusal_of(upgrade((b"sec-websocket-key", KEY))).status == 400

    @pytest.mark.parametrize("header", [(b"content-length", b"5"), (b"transfer-encoding", b"chunked")])
    def test_body_gets_400(self, header: Header) -> None:
        assert refusal_of(upgrade(header)).status == 400

    def test_any_16_bytes_are_a_key(self) -> None:
        for _ in range(100):
            assert isinstance(check_handshake(upgrade(key=base64.b64encode(os.urandom(16)))), Handshake)


class TestSubprotocols:
    """django/daphne#565: offers are tokens, or the request is refused."""

    @pytest.mark.parametrize(
        ("lines", "offers"),
        [
            ([], ()),
            ([b"a"], ("a",)),
            ([b"a, b"], ("a", "b")),
            ([b"a,b\t, c"], ("a", "b", "c")),
            ([b"a, b", b"c"], ("a", "b", "c")),
        ],
    )
    def test_offers_keep_their_order(self, lines: list[bytes], offers: tuple[str, ...]) -> None:
        decision = check_handshake(upgrade(*((b"sec-websocket-protocol", line) for line in lines)))
        assert isinstance(decision, Handshake)
        assert decision.subprotocols == offers

    @pytest.mark.parametrize("line", [b"a,,b", b"a b", b"", b"a,", b"a\x0b", b"a/b", b"\xe9"])
    def test_malformed_offers_get_400(self, line: bytes) -> None:
        assert refusal_of(upgrade((b"sec-websocket-protocol", line))).status == 400


class TestBytes:
    def test_acceptance_is_a_101_with_the_key(self) -> None:
        assert encode_acceptance(Handshake(accept_key(KEY)), [(b"server", b"daphne")]) == (
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
            b"sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nserver: daphne\r\n\r\n"
        )

    def test_refusal_is_a_whole_response_that_ends_the_connection(self) -> None:
        assert encode_refusal(Refusal(403, "node", "No.")) == (
            b"HTTP/1.1 403 Forbidden\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 4\r\n"
            b"connection: close\r\n\r\nNo.\n"
        )

    def test_426_names_the_upgrade_and_closes(self) -> None:
        head = encode_refusal(UPGRADE_REQUIRED).lower()
        assert b"\r\nupgrade: websocket\r\n" in head
        assert b"\r\nconnection: upgrade\r\n" in head
        assert b"\r\nconnection: close\r\n" in head
