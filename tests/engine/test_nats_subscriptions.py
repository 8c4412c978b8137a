"""What is subscribed to in NATS, and what of it is refused."""

import pytest
from awxfast.engine.nats_subscriptions import NatsSubscriptions


@pytest.fixture
def subscriptions() -> NatsSubscriptions:
    subscriptions = NatsSubscriptions()
    assert subscriptions.add(["a", "B"]) == [("a", 1), ("B", 2)]
    return subscriptions


def test_channel_has_one_number_as_long_as_it_is_wanted(subscriptions: NatsSubscriptions) -> None:
    assert subscriptions.add(["a", "c"]) == [("c", 3)]
    assert subscriptions.remove(["a", "never"]) == [1]
    assert (subscriptions.channel(1), subscriptions.channel(2)) == (None, "B")
    assert subscriptions.add(["a"]) == [("a", 4)]
    assert dict(subscriptions.all) == {"B": 2, "c": 3, "a": 4}


def test_refused_channel_is_asked_for_until_the_server_does_not_refuse_it(subscriptions: NatsSubscriptions) -> None:
    subscriptions.refuse("B")
    assert subscriptions.refused == "B" and subscriptions.is_refused(["B"]) and not subscriptions.is_refused(["a"])
    assert len(subscriptions) == 1
    assert subscriptions.ask_again() == [("B", 2)]
    subscriptions.refuse("B")
    assert subscriptions.end_refusals() == [] and subscriptions.refused
    subscriptions.ask_again()
    assert subscriptions.is_refused(["B"]), "not before the server has answered"
    assert subscriptions.end_refusals() == ["B"]
    assert not subscriptions.refused and len(subscriptions) == 2


def test_what_is_not_wanted_any_more_is_not_refused(subscriptions: NatsSubscriptions) -> None:
    subscriptions.refuse("B")
    subscriptions.remove(["B"])
    assert not subscriptions.refused


def test_refusal_of_what_nobody_wants_is_none(subscriptions: NatsSubscriptions) -> None:
    subscriptions.refuse("gone")
    assert not subscriptions.refused and subscriptions.ask_again() == []
