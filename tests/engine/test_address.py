"""What an engine's URL says, and what is never told of it."""

import pytest
from awxfast.engine.address import EngineAddress
from awxfast.errors import ConfigurationError


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://a", "nats:// or tls://"),
        ("redis-cluster://", "it names no host; as in redis-cluster://10.0.0.1:6379"),
        ("tls://user:password@", "it names no host; as in tls://10.0.0.1:4222"),
        ("redis-cluster://a?prefix=secret&prefix=other", "prefix stands twice behind the ?"),
        ("nats://user:1/secret@a", "escape /, ?, # and @ with %"),
        ("nats://user:1?secret@a", "escape /, ?, # and @ with %"),
        ("nats://user:1#secret@a", "escape /, ?, # and @ with %"),
    ],
)
def test_operator_with_a_wrong_url_is_told_what_to_write(url: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        EngineAddress.parse(url)
    assert told in str(error.value) and "secret" not in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "nats://to?hidden@host:4222",
        "nats://user:12?hidden@host:4222",
        "nats://user:12?hidden=x@host:4222",
        "redis-cluster://user:1?hidden@host:6379",
        "redis-cluster://user:1?hidden=@host:6379",
    ],
)
def test_operator_who_forgets_to_escape_a_password_does_not_read_it_in_the_log(url: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        EngineAddress.parse(url)
    assert "hidden" not in str(refused.value)


def test_login_is_of_the_address_and_never_in_its_text() -> None:
    address = EngineAddress.parse("nats://user:a%3Fb%40@host,other:4223?prefix=site&creds=/a%40b")
    assert (address.username, address.password, address.options) == ("user", "a?b@", (("creds", "/a@b"),))
    assert str(address) == "nats at host:4222,other:4223"
    assert "a?b@" not in repr(address)
