"""One full batch through everything: a producer's ZADD, Redis, awxfast in processes of its own, a browser's socket."""

import redis
from awxfast._rust import encode_text_frame
from awxfast.intake.drain import BATCH
from redis_servers import RedisServer
from servers import AwxfastServer

from guard.comparison import Compare
from guard.samples import GROUP, event_text, queue_entry
from guard.subscriber import Subscriber

ROUNDS = 60
TEXT = event_text(1024)
SCORE = 1_795_561_314.5


def find_channel(client: redis.Redis) -> str:
    """The name under which awxfast is in the group; it is there before the reply to the subscription."""
    [name] = client.zrange(f"asgi:group:{GROUP}", 0, -1)
    channel: str = name.decode()
    return channel


def full_batch(channel: str) -> dict[bytes, float]:
    """Entries that differ in their random bytes, with their scores."""
    return {queue_entry(TEXT, channel, b"%012d" % number): SCORE + number for number in range(BATCH)}


def test_end_to_end(compare: Compare, redis_server: RedisServer, relay: AwxfastServer) -> None:
    frames = BATCH * len(encode_text_frame(TEXT.encode()))
    kind, value = GROUP.split("-")
    with redis_server.client() as client, Subscriber(relay.port, kind, int(value)) as browser:
        channel = find_channel(client)
        queue = f"asgi{channel[: channel.index('!') + 1]}"
        batch = full_batch(channel)

        def send_and_read() -> None:
            client.zadd(queue, batch)
            browser.read(frames)

        def pass_through_redis() -> None:
            client.zadd("yardstick", batch)
            client.zpopmin("yardstick", BATCH)

        compare(send_and_read, pass_through_redis, ROUNDS)
