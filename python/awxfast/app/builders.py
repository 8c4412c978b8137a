"""Builds a relay from its settings: one builder a mode."""

from collections.abc import Sequence

from asgiref.typing import ASGI3Application

from awxfast._rust import EntryFormat, Fanout
from awxfast.app.feed import Feed, LayerFeed, NoFeed
from awxfast.app.fellows import Fellows
from awxfast.app.hosted_relay import DrainingRelay, HostedRelay
from awxfast.app.native_relay import NativeRelay
from awxfast.app.relay import Relay
from awxfast.app.replaying_relay import ReplayingRelay
from awxfast.errors import ConfigurationError
from awxfast.hosted.channel_table import ChannelTable
from awxfast.hosted.configured_layer import StockLayer, find_stock_layer, refuse_without_cryptography
from awxfast.hosted.endpoints import HostedEndpoints
from awxfast.hosted.layer_replacement import Replacement
from awxfast.http.access_log import AccessLog, open_access_log
from awxfast.intake.decryption_log import tell_undecryptable
from awxfast.intake.event_intake import EventIntake
from awxfast.intake.event_taker import EventTaker
from awxfast.intake.host_intakes import open_intake
from awxfast.native.auth_option import build_access
from awxfast.native.endpoints import NativeEndpoints
from awxfast.nodes.awx_settings import read_node_settings
from awxfast.nodes.engine_feed import build_engine
from awxfast.nodes.mesh import NoNodes, build_mesh
from awxfast.nodes.plan import NodePlan
from awxfast.options import OWN_OPTIONS
from awxfast.redis.address import RedisAddress
from awxfast.settings import MAX_GROUPS, REPLY_BYTES, Settings
from awxfast.sockets.server import Server
from awxfast.wire.encryption_keys import EncryptionKeys
from awxfast.wire.entry_bodies import make_entry_format


def build_relay(
    settings: Settings,
    application: ASGI3Application | None,
    access_log: AccessLog | None,
    token: str | None = None,
    fellows: Fellows | None = None,
) -> Relay:
    """For the mode that is asked for. `access_log`: another than the settings ask for. `token`: its name in Redis.

    `fellows`: others that serve the application beside it.

    Raises `ConfigurationError`.
    """
    if application is None:
        return build_native(settings, access_log, token)
    return build_hosted(settings, application, access_log, token, fellows)


def build_native(settings: Settings, access_log: AccessLog | None = None, token: str | None = None) -> NativeRelay:
    """A relay that speaks AWX's protocol itself. `token`: its name in Redis."""
    log = access_log or open_access_log(settings)
    keys = EncryptionKeys(settings.encryption_key_files)
    entry_format = make_entry_format(settings, keys.values)
    fanout = build_fanout(settings, entry_format)
    plan = NodePlan.make(settings, read_node_settings(), has_layer=True)
    addresses = [*map(RedisAddress.parse, settings.redis)]
    intake = build_intake(settings, entry_format, addresses, fanout, plan, token)
    engine = build_engine(settings, plan.application.group, fanout, intake, None)
    feed = Feed(intake, build_mesh(plan, fanout, intake, None, engine), keys, engine)
    access = build_access(settings)
    endpoints = NativeEndpoints(settings, intake.subscriptions, access)
    server = Server(settings, fanout, endpoints, log, feed.nodes.endpoint, feed.tell_caught_up)
    return NativeRelay(settings, fanout, feed, server, log, access=access, endpoints=endpoints)


def build_hosted(
    settings: Settings,
    application: ASGI3Application,
    access_log: AccessLog | None = None,
    token: str | None = None,
    fellows: Fellows | None = None,
) -> HostedRelay:
    """A relay that hosts an application, in place of whose channel layer of channels_redis, if it has one, ours is.

    `token`: its name in Redis, unless two processes of one server may serve at once.
    """
    stock = find_layer_of_application(settings)
    settings = stock.settings(settings) if stock is not None else settings
    log = access_log or open_access_log(settings)
    keys = EncryptionKeys(settings.encryption_key_files, stock.keys if stock is not None else ())
    entry_format = make_entry_format(settings, keys.values)
    fanout = build_fanout(settings, entry_format)
    plan = NodePlan.make(settings, read_node_settings(), has_layer=stock is not None)
    host = HostedEndpoints(application, settings)
    shares = fellows.shares if fellows is not None else None
    if stock is None:
        if settings.engine is not None:
            raise ConfigurationError("--engine: the application has no channel layer of channels_redis; leave it out")
        nobody = NoFeed(NoNodes(plan))
        server = Server(settings, fanout, host, log, nobody.nodes.endpoint, nobody.tell_caught_up, shares)
        return DrainingRelay(settings, fanout, nobody, server, log, host=host)
    feed = build_layer_feed(settings, fanout, plan, stock, keys, entry_format, token)
    server = Server(settings, fanout, host, log, feed.nodes.endpoint, feed.tell_caught_up, shares)
    if settings.replays_consumers:
        return ReplayingRelay(settings, fanout, feed, server, log, host=host)
    return DrainingRelay(settings, fanout, feed, server, log, host=host)


def build_layer_feed(
    settings: Settings,
    fanout: Fanout,
    plan: NodePlan,
    stock: StockLayer,
    keys: EncryptionKeys,
    entry_format: EntryFormat,
    token: str | None = None,
) -> LayerFeed:
    """The table of channels stands between intake and fan-out, and between the application's consumers and both.

    Only who can begin its consumers anew keeps the names of the process before it.
    """
    refuse_without_cryptography(keys.values)
    table = ChannelTable(
        fanout,
        capacity=settings.capacity,
        serializer=settings.serializer_format,
        direct=bool(settings.direct),
        barred=plan.barred_group,
        max_groups=settings.max_groups,
    )
    addresses = stock.find_addresses(settings)
    keeps_names = settings.replays_consumers
    former = token if keeps_names else None
    intake = build_intake(settings, entry_format, addresses, table, plan, former, has_channels=True)
    engine = build_engine(settings, plan.application.group, fanout, intake, table)
    nodes = build_mesh(plan, fanout, intake, table, engine)
    table.connect(intake.subscriptions)
    replacement = Replacement(stock, table, [part.names.token for part in intake.parts], settings, keys)
    return LayerFeed(intake, nodes, keys, engine, replacement, table, keeps_names=keeps_names)


def build_intake(
    settings: Settings,
    entry_format: EntryFormat,
    addresses: Sequence[RedisAddress],
    taker: EventTaker,
    plan: NodePlan,
    token: str | None = None,
    *,
    has_channels: bool = False,
) -> EventIntake:
    """Brings what comes for browsers to `taker`."""
    return open_intake(
        settings,
        addresses,
        tell_undecryptable(taker, entry_format),
        plan.announce_in,
        max_event_size=settings.max_event_size,
        token=token,
        entry_format=entry_format,
        has_channels=has_channels,
    )


def find_layer_of_application(settings: Settings) -> StockLayer | None:
    """The layer to replace, if the application has one; without it there is nothing that options could be for."""
    stock = find_stock_layer()
    if stock is None and settings.layer_options:
        option = next(option.name for option in OWN_OPTIONS if option.field == settings.layer_options[0])
        raise ConfigurationError(f"{option}: the application has no channel layer of channels_redis; leave it out")
    if stock is not None and "layer" in settings.layer_options and settings.layer != stock.layer:
        raise ConfigurationError(f"--layer {settings.layer}: the application's is {stock.layer}; leave it out")
    return stock


def build_fanout(settings: Settings, entry_format: EntryFormat) -> Fanout:
    """The fan-out with the settings' bounds."""
    return Fanout(
        threads=settings.threads,
        queue_frames=settings.queue_frames,
        queue_bytes=settings.queue_bytes,
        queue_memory=settings.queue_memory,
        reply_bytes=reply_bound(settings) if settings.application is None else None,
        send_buffer=settings.send_buffer,
        slow_client=settings.slow_client,
        keep_groups=settings.keep_groups,
        entry_format=entry_format,
        max_event_size=settings.max_event_size,
        direct_types=settings.direct,
        consumers=settings.application is not None,
    )


def reply_bound(settings: Settings) -> int:
    """Bytes of replies that a client may leave unread: more where one reply may name more groups than by default."""
    return max(REPLY_BYTES, REPLY_BYTES * settings.max_groups // MAX_GROUPS)
