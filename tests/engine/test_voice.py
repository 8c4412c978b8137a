"""As whom a process speaks in an engine."""

import dataclasses
from unittest.mock import Mock

from awxfast.engine.nats_channels import NatsChannels
from awxfast.engine.publisher import name_publisher
from awxfast.engine.taker import name_taker
from awxfast.engine.voice import BEAT_SECONDS, Voice, next_beat
from awxfast.wire.engine_notices import Bye, read_notice
from engine.fake_carrier import Exchange

WHO = "0123456789abcdef"
REDIS = "a" * 32


@dataclasses.dataclass
class Redis:
    redis_name: str | None = REDIS
    redis_names: tuple[str, ...] = (REDIS,)


def make_voice(exchange: Exchange, redis: Redis, who: str = WHO) -> Voice:
    return Voice(exchange.connect(), who, "awx-1", redis)


def test_taker_and_publisher_of_one_process_have_two_names_which_the_next_process_has_too() -> None:
    names = {name_taker("token"), name_publisher("token")}
    assert len(names) == 2
    assert names == {name_taker("token"), name_publisher("token")}
    assert not names & {name_taker("other"), name_publisher("other")}


def test_redis_that_does_not_say_which_it_is_is_taken_for_nobody_elses() -> None:
    exchange = Exchange()
    assert make_voice(exchange, Redis()).redis == REDIS
    assert make_voice(exchange, Redis(None)).redis is None
    nameless = [make_voice(exchange, Redis(""), who).redis for who in (WHO, "f" * 16)]
    assert len({*nameless, REDIS}) == 3
    assert all(name is not None and len(name) == 32 for name in nameless)


def test_process_says_who_it_is_as_soon_as_its_redis_is_there() -> None:
    redis = Redis(None)
    voice = make_voice(Exchange(), redis)
    assert voice.speaker is None
    redis.redis_name = REDIS
    assert voice.speaker == {"who": WHO, "node": "awx-1", "redis": REDIS}


async def test_notice_goes_to_the_channel_of_wants_and_counts_as_no_event() -> None:
    exchange, listener = Exchange(), Mock()
    voice = make_voice(exchange, Redis())
    await voice.carrier.start(listener)
    voice.say(Bye(who=WHO))
    ((channel, message),) = exchange.sent
    assert channel == NatsChannels("awxfast").wants
    assert read_notice(message) == Bye(who=WHO)
    exchange.carriers[0].cut()
    voice.say(Bye(who=WHO))
    listener.note_lost.assert_called_once_with(0, "connection_broken")


def test_beats_are_not_due_for_all_at_the_same_time() -> None:
    beats = [next_beat() for _ in range(100)]
    assert len(set(beats)) > 1
    assert all(0.8 * BEAT_SECONDS <= beat <= 1.2 * BEAT_SECONDS for beat in beats)
