"""What stands for credentials: nobody reads it, and nobody else's is the same."""

import itertools

from awxfast.native.credentials import NO_CREDENTIALS, Credentials


class TestCredentials:
    def test_neither_they_nor_their_digest_are_shown(self) -> None:
        assert repr(Credentials((("cookie", "SECRET"),))) == "Credentials()"

    def test_equal_headers_are_the_same_credentials(self) -> None:
        assert Credentials((("cookie", "c"),)) == Credentials((("cookie", "c"),))
        assert Credentials() == NO_CREDENTIALS

    def test_headers_that_only_look_alike_when_joined_are_others(self) -> None:
        alike = [
            Credentials((("cookie", "a"), ("cookie", "b"))),
            Credentials((("cookie", "b"), ("cookie", "a"))),
            Credentials((("cookie", 'a"],["cookie","b'),)),
            Credentials((("cookie", "acookieb"),)),
            Credentials((("cookie", "ab"),)),
            Credentials((("authorization", "ab"),)),
            NO_CREDENTIALS,
        ]
        for one, other in itertools.combinations(alike, 2):
            assert one != other
            assert one.digest != other.digest
