"""What is measured: each workload once, with what it is for."""

from dataclasses import dataclass, replace

ALL = ("daphne", "awxfast", "hosted", "direct")
AWXFAST = ("awxfast",)
HOSTING = ("daphne", "hosted", "direct")


@dataclass(frozen=True, kw_only=True)
class Stream:
    """Events to clients that read. Sizes in bytes of text, times in seconds, `rate` in events a second."""

    name: str
    title: str
    servers: tuple[str, ...] = ALL
    clients: int = 100
    never_read: int = 0
    size: int = 1024
    producer: str
    """`stock` or `pipeline`, see producers.py."""
    rate: float
    """0: flat out."""
    depth: int = 256
    """Flat out: how many events are kept waiting in Redis."""
    seconds: float = 6
    warm_up: float = 1
    """Latencies of the first so many seconds are left out."""

    def shortened(self, seconds: float) -> "Stream":
        return replace(self, seconds=min(self.seconds, seconds), warm_up=min(self.warm_up, seconds / 4))


@dataclass(frozen=True, kw_only=True)
class Idle:
    """Clients that subscribe and hear nothing."""

    name: str
    title: str
    servers: tuple[str, ...] = ALL
    clients: int = 1000
    groups: int = 50
    """Jobs that they watch, spread; each client watches one, and two groups of statuses."""
    signed_in: bool = False
    """The application looks up each client's session and user in its database."""

    def shortened(self, seconds: float) -> "Idle":
        return self


Workload = Stream | Idle

RELAY: tuple[Workload, ...] = (
    Stream(
        name="flat-out",
        title="Flat out: 100 clients, 1 KiB; as many events as the server takes, kept waiting in Redis",
        producer="pipeline",
        rate=0,
    ),
    Stream(
        name="rate-10",
        title="10 events a second to 100 clients, 1 KiB, by group_send of channels_redis",
        producer="stock",
        rate=10,
        seconds=15,
    ),
    Stream(
        name="rate-100",
        title="100 events a second to 100 clients, 1 KiB, by group_send of channels_redis",
        producer="stock",
        rate=100,
    ),
    Stream(
        name="rate-1000",
        title="1,000 events a second to 100 clients, 1 KiB, by group_send of channels_redis",
        producer="stock",
        rate=1000,
    ),
    Idle(name="idle", title="1,000 clients that have subscribed and hear nothing"),
    Stream(
        name="rate-15000-1k",
        title="15,000 events a second of 1 KiB to 100 clients, through Redis, by a plain pipeline",
        servers=AWXFAST,
        producer="pipeline",
        rate=15_000,
        seconds=8,
    ),
    Stream(
        name="rate-15000",
        title="15,000 events a second of 4 KiB to 100 clients, through Redis, by a plain pipeline",
        servers=AWXFAST,
        producer="pipeline",
        rate=15_000,
        size=4096,
        seconds=8,
    ),
    Stream(
        name="stuck",
        title="2,000 events a second of 4 KiB to 100 clients, beside 10 more that never read",
        servers=AWXFAST,
        producer="pipeline",
        rate=2000,
        size=4096,
        never_read=10,
    ),
)


def hosted_stream(clients: int) -> Stream:
    """daphne's application under either server, flat out."""
    title = f"An application, flat out: {clients:,} client{'s' if clients > 1 else ''}, 1 KiB"
    return Stream(
        name=f"hosted-{clients}", title=title, servers=HOSTING, clients=clients, producer="pipeline", rate=0, seconds=8
    )


HOSTED: tuple[Workload, ...] = (
    *map(hosted_stream, (1, 10, 100, 500, 1000)),
    Idle(
        name="hosted-idle",
        title="An application's 1,000 clients that have subscribed and hear nothing; it asks no database",
        servers=HOSTING,
    ),
    Idle(
        name="hosted-signed-in",
        title="The same, each looked up in the database by its session",
        servers=HOSTING,
        signed_in=True,
    ),
)
WORKLOADS = (*RELAY, *HOSTED)
