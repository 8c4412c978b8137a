"""Puts the hosted layer in the place of the stock one, and again whenever Django's settings change."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from awxfast.errors import ConfigurationError
from awxfast.hosted.channel_table import ChannelTable
from awxfast.hosted.configured_layer import StockLayer, configured_layers, is_stock, read_stock_layer
from awxfast.settings import Settings
from awxfast.wire.encryption_keys import EncryptionKeys

log = logging.getLogger(__name__)


class Replacement:
    """The hosted layer of one alias, for as long as the process serves. Made on the serving loop.

    `tokens`: the process's, one for each Redis.
    """

    def __init__(
        self, stock: StockLayer, table: ChannelTable, tokens: Sequence[str], settings: Settings, keys: EncryptionKeys
    ) -> None:
        self._stock = stock
        self._table = table
        self._tokens = tokens
        self._settings = settings
        self._keys = keys
        self._loop = asyncio.get_running_loop()
        self._layers: list[Any] = []

    def install(self) -> None:
        """From now on `get_channel_layer` gives the hosted layer."""
        from django.core.signals import setting_changed

        self._put(self._stock)
        # After Channels' own receiver, which forgets all layers: it was connected when Channels was imported.
        setting_changed.connect(self._follow_settings)

    def use_keys(self) -> None:
        """Sends with the keys that there are now."""
        for layer in self._layers:
            layer.use_keys(self._keys.values)

    async def stop(self) -> None:
        """Closes the connections that sending has opened on this loop."""
        from django.core.signals import setting_changed

        setting_changed.disconnect(self._follow_settings)
        for layer in self._layers:
            await layer.close_pools()

    def _put(self, stock: StockLayer) -> None:
        from channels.layers import channel_layers

        arguments = stock.arguments(self._settings, self._keys.values)
        layer = find_layer_class(stock.layer)(self._table, self._tokens, self._loop, arguments)
        channel_layers.set(stock.alias, layer)
        self._layers.append(layer)

    def _is_served(self, changed: StockLayer) -> bool:
        """Whether the same Redis has it, and it is read in the same way."""
        settings, served = self._settings, self._stock
        return (
            changed.settings(settings) == served.settings(settings)
            and changed.find_addresses(settings) == served.find_addresses(settings)
            and (bool(settings.encryption_key_files) or changed.keys == served.keys)
        )

    def _follow_settings(self, *, setting: str, **_: Any) -> None:
        if setting != "CHANNEL_LAYERS":
            return
        alias = self._stock.alias
        entry = configured_layers().get(alias)
        if entry is None or not is_stock(alias, entry):
            return
        try:
            changed = read_stock_layer(alias, entry)
        except ConfigurationError as error:
            log.warning("%s; channels_redis' own layer serves from now on", error)
            return
        if self._is_served(changed):
            self._put(changed)
        else:
            log.warning("CHANNEL_LAYERS: %s has other settings now; channels_redis' own layer serves them", alias)


def find_layer_class(form: str) -> Callable[..., Any]:
    """The class that stands for the stock one of this form."""
    if form == "pubsub":
        from awxfast.hosted.pubsub_layer import HostedPubSubLayer

        return HostedPubSubLayer
    from awxfast.hosted.channel_layer import HostedLayer

    return HostedLayer
