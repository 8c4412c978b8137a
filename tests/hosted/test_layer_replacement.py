"""The hosted layer in Channels' own registry of layers."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from awxfast.django_settings import CORE_BACKEND, PUBSUB_BACKEND
from awxfast.hosted.channel_layer import HostedLayer
from awxfast.hosted.configured_layer import read_stock_layer
from awxfast.hosted.layer_replacement import Replacement
from awxfast.hosted.pubsub_layer import HostedPubSubLayer
from awxfast.wire.encryption_keys import EncryptionKeys
from channels.layers import channel_layers, get_channel_layer
from channels_redis.core import RedisChannelLayer
from django.test import override_settings
from hosted_layers import Hosted
from redis_servers import HANG, RedisServer


def entry(server: RedisServer, **configuration: object) -> dict[str, object]:
    return {"BACKEND": CORE_BACKEND, "CONFIG": {"hosts": [server.url], **configuration}}


@pytest.fixture
async def replaced(hosted: Hosted, redis_server: RedisServer, django_settings: None) -> AsyncIterator[None]:
    """A site with one stock layer, served by us."""
    with override_settings(CHANNEL_LAYERS={"default": entry(redis_server)}):
        stock = read_stock_layer("default", entry(redis_server))
        tokens = [hosted.intake.names.token]
        replacement = Replacement(stock, hosted.table, tokens, stock.settings(hosted.settings), EncryptionKeys([]))
        replacement.install()
        yield
        await replacement.stop()
    channel_layers.backends.clear()


@pytest.mark.usefixtures("replaced")
class TestReplacement:
    async def test_consumers_get_the_hosted_layer(self, hosted: Hosted) -> None:
        layer = get_channel_layer()
        assert isinstance(layer, HostedLayer)
        assert (await layer.new_channel()).startswith(f"specific.{hosted.intake.names.token}!")

    async def test_it_is_put_in_place_again_after_settings_change(self, redis_server: RedisServer) -> None:
        before = get_channel_layer()
        with override_settings(CHANNEL_LAYERS={"default": entry(redis_server, channel_capacity={"one": 1})}):
            layer = get_channel_layer()
            assert isinstance(layer, HostedLayer)
            assert layer is not before
            assert layer.get_capacity("one") == 1
            channel = await layer.new_channel()
            await layer.group_add("room", channel)
            await layer.group_send("room", {"type": "a"})
            async with asyncio.timeout(HANG):
                assert await layer.receive(channel) == {"type": "a"}

    @pytest.mark.parametrize("change", [{"prefix": "other"}, {"symmetric_encryption_keys": ["k"]}])
    async def test_settings_that_the_intake_does_not_have_keep_the_stock_layer(
        self, redis_server: RedisServer, change: dict[str, object], caplog: pytest.LogCaptureFixture
    ) -> None:
        if "symmetric_encryption_keys" in change:
            pytest.importorskip("cryptography")
        with override_settings(CHANNEL_LAYERS={"default": entry(redis_server, **change)}):
            assert type(get_channel_layer()) is RedisChannelLayer
        assert len(caplog.records) == 1

    async def test_layer_of_another_class_is_the_sites_own(self) -> None:
        with override_settings(CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}):
            assert not isinstance(get_channel_layer(), RedisChannelLayer)


async def test_pubsub_layer_is_replaced_by_its_own_kind(
    hosted: Hosted, redis_server: RedisServer, django_settings: None
) -> None:
    pubsub = {"BACKEND": PUBSUB_BACKEND, "CONFIG": {"hosts": [redis_server.url]}}
    with override_settings(CHANNEL_LAYERS={"default": pubsub}):
        stock = read_stock_layer("default", pubsub)
        replacement = Replacement(stock, hosted.table, ["0" * 32], stock.settings(hosted.settings), EncryptionKeys(()))
        replacement.install()
        layer = get_channel_layer()
        assert isinstance(layer, HostedPubSubLayer)
        assert (await layer.new_channel()).startswith(f"asgispecific.{'0' * 16}")
        await replacement.stop()
    channel_layers.backends.clear()
