"""Producers alone: events a second, and what one costs the producer and Redis."""

import time

from machine.setting import Bench, Figures
from peers.servers import Redis
from traffic.processes import Producer

from workloads.kinds import GROUP, Producing

QUEUE = "asgispecific.bench!"
MEMBER = f"{QUEUE.removeprefix('asgi')}member"
FAR_AWAY = "9999999999"
EMPTY_EVERY_SECONDS = 0.25


def measure_producing(bench: Bench, redis: Redis, way: str, workload: Producing) -> Figures:
    """Flat out, to a group with one member, as on a node where one process reads; its queue is emptied now and then."""
    redis.ask("ZADD", f"asgi:group:{GROUP}", FAR_AWAY, MEMBER)
    with Producer(
        bench.server_core, way, redis=redis.url, group=GROUP, seconds=workload.seconds, size=workload.size
    ) as producer:
        before = redis.usage()
        producer.start()
        while producer.process.poll() is None:
            redis.ask("UNLINK", QUEUE)
            time.sleep(EMPTY_EVERY_SECONDS)
        made = producer.result()
        redis_cpu = redis.usage().cpu_s - before.cpu_s
    return {
        "made_per_s": made["made"] / made["seconds"],
        "producer_us_an_event": 1e6 * made["cpu_s"] / made["made"],
        "redis_us_an_event": 1e6 * redis_cpu / made["made"],
    }
