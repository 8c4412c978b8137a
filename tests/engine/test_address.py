"""What an operator is told of an engine's URL that can't be read."""

import pytest
from awxfast.engine.address import EngineAddress
from awxfast.errors import ConfigurationError


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://a", "nats:// or tls://"),
        ("redis-cluster://", "it names no host; as in redis-cluster://10.0.0.1:6379"),
        ("tls://user:password@", "it names no host; as in tls://10.0.0.1:4222"),
        ("nats://user:1/secret@a", "escape /, ?, # and @ with %"),
        ("nats://user:1?secret@a", "escape /, ?, # and @ with %"),
        ("nats://user:1#secret@a", "escape /, ?, # and @ with %"),
    ],
)
def test_operator_with_a_wrong_url_is_told_what_to_write(url: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        EngineAddress.parse(url)
    assert told in str(error.value) and "secret" not in str(error.value)
