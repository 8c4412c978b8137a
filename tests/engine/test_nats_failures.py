"""What a server of NATS says of why it does not take us, in words for an operator."""

import pytest
from awxfast.engine.nats_failures import describe_failure, is_refusal
from nats import errors

WHO = "it refuses the user, token or key of --engine"


@pytest.mark.parametrize(
    ("said", "told", "is_for_somebody"),
    [
        ("'Authorization Violation'", WHO, True),
        ("User Authentication Expired", WHO, True),
        ("nats: 'User Authentication Revoked'", WHO, True),
        ("Maximum Subscriptions Exceeded", "it says Maximum Subscriptions Exceeded", True),
        ("'maximum account active connections exceeded'", "it says maximum account active connections exceeded", True),
        ("nats: 'Stale Connection'", "it says Stale Connection", False),
        ("'Authentication Timeout'", "it says Authentication Timeout", False),
    ],
)
def test_words_of_a_server_say_whether_somebody_has_to_change_something(
    said: str, told: str, is_for_somebody: bool
) -> None:
    error = errors.Error(said)
    assert (describe_failure(error), is_refusal(error)) == (told, is_for_somebody)
