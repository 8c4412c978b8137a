"""What is measured, in the order of the tables, and against whom: as much as half an hour has room for."""

from workloads.kinds import Alone, Echoes, Edge, Idle, Producing, Requests, Search, Storm, Stream, Workload

PEERS = ("daphne", "uvicorn", "granian", "hypercorn")
BOTH = ("daphne", "awxfast")
ALONE = ("awxfast",)
HOSTING = ("daphne", "hosted", "direct")
EVERYBODY = (*PEERS, "nchan", "direct", "awxfast")
ASKED = ("daphne", "uvicorn", "granian", "hosted")
APPLICATIONS = {"bare": "a bare ASGI application", "django": "a Django site with Channels"}
FLOOD = 64
"""Messages of a client that are under way at a time: more than a server reads at once."""
WORKERS_EVENTS = 4000
"""So many that one worker's consumers need several seconds."""
EQUAL_FRAMES = 200_000
"""Frames a second, whatever the number of clients."""


def flat_out(clients: int, *servers: str, quick: tuple[str, ...] = BOTH, size: int = 1024) -> Stream:
    """As many events as the server takes, kept waiting in Redis."""
    kibibytes = size // 1024
    return Stream(
        name=f"flat-out-{clients}" + f"-{kibibytes}k" * (kibibytes > 1),
        title=f"Flat out: {clients:,} client{'s' * (clients > 1)}, {kibibytes} KiB",
        servers=servers,
        quick=tuple(server for server in servers if server in quick),
        clients=clients,
        size=size,
    )


def fixed_rate(rate: int, *servers: str, quick: tuple[str, ...] = BOTH, seconds: float = 4) -> Stream:
    """Latency at a rate that is kept."""
    return Stream(
        name=f"rate-{rate}",
        title=f"Latency: {rate:,} events a second to 100 clients, 1 KiB",
        servers=servers,
        quick=tuple(server for server in servers if server in quick),
        rate=rate,
        producer="stock" if rate <= 100 else "pipeline",
        seconds=seconds,
    )


def equal_frames(clients: int) -> Stream:
    """The cost of a frame as clients go up."""
    return Stream(
        name=f"equal-{clients}",
        title=f"{EQUAL_FRAMES:,} frames a second, 1 KiB: {clients:,} clients",
        servers=ALONE,
        quick=ALONE if clients <= 1000 else (),
        clients=clients,
        rate=EQUAL_FRAMES / clients,
    )


def thousand_groups() -> tuple[str, ...]:
    """Group by client: 1, 2 or 3 clients in each of 1,000 groups, 1,999 in all."""
    return tuple(f"job_events-{number}" for number in range(1000) for _ in range(1 + number % 3))


def heavy(clients: int, size: int, name: str) -> Stream:
    """15,000 events a second."""
    return Stream(
        name=name,
        title=f"15,000 events a second of {size // 1024} KiB to {clients} clients, through Redis",
        servers=ALONE,
        clients=clients,
        size=size,
        rate=15_000,
        seconds=4,
    )


def alone(clients: int, size: int) -> Alone:
    """Against the raw limit."""
    title = f"Fan-out alone against a program that only sends: {clients:,} clients, {size // 1024} KiB"
    return Alone(name=f"alone-{clients}-{size // 1024}k", title=title, clients=clients, size=size)


def requests(site: str) -> Requests:
    """Plain requests, as wrk makes them."""
    return Requests(
        name=f"requests-{site}",
        title=f"Plain requests of {APPLICATIONS[site]}, 32 connections",
        servers=ASKED,
        quick=("uvicorn", "hosted"),
        application=f"peers.{site}_site:application",
    )


def echoes(site: str, size: int, *, clients: int, under_way: int) -> Echoes:
    """Websocket messages to an application."""
    pace = "flooding" if under_way > 1 else "one in flight"
    length, unit = (size // 1024, "KiB") if size >= 1024 else (size, "B")
    return Echoes(
        name=f"echo-{site}-{length}{unit[0].lower()}-{'flood' if under_way > 1 else 'one'}",
        title=f"Messages to {APPLICATIONS[site]}, which sends them back: {length} {unit}, {clients} clients, {pace}",
        servers=("daphne", "uvicorn", "hosted"),
        quick=("hosted",),
        application=f"peers.{site}_site:application",
        clients=clients,
        size=size,
        under_way=under_way,
    )


RELAY: tuple[Workload, ...] = (
    alone(100, 1024),
    alone(1000, 1024),
    alone(100, 4096),
    alone(1000, 4096),
    flat_out(1, *BOTH, quick=ALONE),
    flat_out(10, *BOTH, quick=ALONE),
    flat_out(100, *EVERYBODY, quick=EVERYBODY),
    flat_out(1000, "daphne", "nchan", "awxfast", quick=ALONE),
    flat_out(9000, *ALONE, quick=()),
    flat_out(100, "nchan", "awxfast", size=4096),
    flat_out(1000, *ALONE, size=4096),
    Stream(
        name="encrypted-100",
        title="Flat out on an encrypted layer and on a plain one: 100 clients, 1 KiB",
        servers=("awxfast", "encrypted"),
    ),
    Stream(
        name="hosts-100",
        title="Flat out on a layer with three Redis and on one: three groups, 100 clients, 1 KiB",
        servers=("awxfast", "hosts"),
        groups=("job_events-9", "job_events-4", "job_events-1"),
    ),
    Stream(
        name="lists-100",
        title="Flat out on a layer whose queues are lists and on one of sorted sets: 100 clients, 1 KiB",
        servers=("awxfast", "lists"),
    ),
    Stream(
        name="pubsub-100",
        title=f"{EQUAL_FRAMES:,} frames a second on a pub/sub layer and on a usual one: 100 clients, 1 KiB",
        servers=("awxfast", "pubsub"),
        rate=EQUAL_FRAMES / 100,
    ),
    equal_frames(100),
    equal_frames(1000),
    equal_frames(9000),
    Stream(
        name="groups-1000",
        title="Flat out: 1,000 groups of 1 to 3 clients each, 1,999 in all, 1 KiB",
        clients=len(thousand_groups()),
        groups=thousand_groups(),
        quick=ALONE,
    ),
    fixed_rate(10, "daphne", "uvicorn", "granian", "awxfast", seconds=8),
    fixed_rate(50, *BOTH, quick=ALONE),
    fixed_rate(100, *BOTH, quick=ALONE),
    fixed_rate(1000, "nchan", "direct", "awxfast"),
    Stream(
        name="nginx",
        title="Behind nginx by a unix socket: 1,000 events a second to 100 clients, 1 KiB; nginx on the server's core",
        servers=("awxfast", "nginx+awxfast"),
        quick=("nginx+awxfast",),
        rate=1000,
    ),
    Stream(
        name="large-event",
        title="Events of 512 KiB, one a second, to 100 clients",
        size=512 * 1024,
        rate=1,
        seconds=4,
        quick=ALONE,
    ),
    heavy(50, 4096, "rate-15000-50"),
    heavy(100, 1024, "rate-15000-1k"),
    heavy(100, 4096, "rate-15000"),
    Stream(
        name="slow-readers",
        title="2,000 events a second of 4 KiB to 100 clients, beside 10 more that never read",
        servers=ALONE,
        rate=2000,
        size=4096,
        never_read=10,
    ),
    Edge(name="past-the-edge", title="Past the edge: twice the best rate, then half of it; 100 clients, 1 KiB"),
    Search(name="search-100000", title="The highest rate without loss, 4 KiB to 10 clients (aim: 100,000 events/s)"),
    Storm(name="storm", title="A storm: 1,000 handshakes, 40 at a time", servers=EVERYBODY, quick=BOTH),
    Idle(name="idle-1000", title="1,000 clients that hear nothing", servers=EVERYBODY, quick=ALONE),
    Idle(name="idle-9000", title="9,000 clients that hear nothing", servers=ALONE, quick=(), clients=9000),
    requests("django"),
    requests("bare"),
    *(
        echoes(site, size, clients=clients, under_way=under_way)
        for site in APPLICATIONS
        for size in (64, 4096)
        for clients, under_way in ((20, FLOOD), (50, 1))
    ),
    Producing(
        name="producers",
        title="Producers alone, 1 KiB, one process: channels_redis AWX's way (a new event loop each time) and in one "
        "loop, awxfast.layer AWX's way, awxfast.emit",
    ),
)


def hosted_storm(kind: str, application: str, words: str) -> Storm:
    """Handshakes of an application that asks no database, without a subscription."""
    return Storm(
        name=f"hosted-storm-{kind}",
        title=f"A storm on {words}: 1,000 handshakes, 40 at a time",
        servers=("daphne", "hosted"),
        application=application,
        subscribes=False,
    )


def hosted_stream(clients: int) -> Stream:
    """daphne's application under either server, flat out."""
    title = f"An application, flat out: {clients:,} client{'s' * (clients > 1)}, 1 KiB"
    return Stream(name=f"hosted-{clients}", title=title, servers=HOSTING, clients=clients, seconds=8, warm_up=1)


def workers() -> tuple[Workload, ...]:
    """One worker and two of them on the same two cores, at the same work."""
    servers = ("one-worker", "two-workers")
    django = "peers.django_site:application"
    return (
        Stream(
            name="hosted-workers-events",
            title=f"Workers: {WORKERS_EVENTS:,} events of 1 KiB to the consumers of 100 clients, two cores",
            servers=servers,
            seconds=30,
            events=WORKERS_EVENTS,
            has_two_cores=True,
        ),
        Storm(
            name="hosted-workers-storm",
            title="Workers: 3,000 handshakes of a Channels consumer, 40 at a time, two cores",
            servers=servers,
            clients=3000,
            application=django,
            subscribes=False,
            has_two_cores=True,
        ),
        Requests(
            name="hosted-workers-requests",
            title="Workers: plain requests of a Django site, 32 connections, two cores",
            servers=servers,
            application=django,
            has_two_cores=True,
        ),
    )


HOSTED: tuple[Workload, ...] = (
    *map(hosted_stream, (1, 10, 100, 500, 1000)),
    hosted_storm("bare", "peers.bare_site:application", APPLICATIONS["bare"]),
    hosted_storm("channels", "peers.django_site:application", "a Channels consumer"),
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
    *workers(),
)
WORKLOADS = (*RELAY, *HOSTED)
