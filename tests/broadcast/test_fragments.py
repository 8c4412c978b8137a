"""Messages in fragments, RFC 6455 section 5.4."""

import pytest
from awxfast.broadcast.fragments import MAX_FRAGMENTS, MAX_MESSAGE, Fragments
from picows import WSCloseCode, WSMsgType, WSProtocolError

TEXT, BINARY, CONTINUATION = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION


class TestMessage:
    def test_it_is_there_with_its_last_fragment(self) -> None:
        fragments = Fragments()
        assert fragments.add(TEXT, b"a", last=False) is None
        assert fragments.begun
        assert fragments.add(CONTINUATION, b"", last=False) is None
        assert fragments.add(CONTINUATION, b"b", last=True) == (TEXT, b"ab")
        assert not fragments.begun

    def test_next_one_has_nothing_of_it(self) -> None:
        fragments = Fragments()
        for kind, payload in ((TEXT, b"a"), (BINARY, b"b")):
            fragments.add(kind, payload, last=False)
            assert fragments.add(CONTINUATION, b"", last=True) == (kind, payload)


class TestFault:
    def test_message_within_another(self) -> None:
        fragments = Fragments()
        fragments.add(TEXT, b"a", last=False)
        with pytest.raises(WSProtocolError) as raised:
            fragments.add(TEXT, b"b", last=True)
        assert raised.value.args[0] == WSCloseCode.PROTOCOL_ERROR

    def test_continuation_of_nothing(self) -> None:
        with pytest.raises(WSProtocolError) as raised:
            Fragments().add(CONTINUATION, b"b", last=True)
        assert raised.value.args[0] == WSCloseCode.PROTOCOL_ERROR

    def test_more_bytes_than_a_message_may_have(self) -> None:
        fragments = Fragments()
        fragments.add(TEXT, bytes(MAX_MESSAGE), last=False)
        with pytest.raises(WSProtocolError) as raised:
            fragments.add(CONTINUATION, b"a", last=True)
        assert raised.value.args[0] == WSCloseCode.MESSAGE_TOO_BIG

    def test_empty_fragments_without_an_end(self) -> None:
        fragments = Fragments()
        fragments.add(TEXT, b"", last=False)
        for _ in range(MAX_FRAGMENTS - 1):
            fragments.add(CONTINUATION, b"", last=False)
        with pytest.raises(WSProtocolError) as raised:
            fragments.add(CONTINUATION, b"", last=False)
        assert raised.value.args[0] == WSCloseCode.MESSAGE_TOO_BIG
