"""Layers that a server has to leave as they are, since they may do anything."""

from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer


class OwnCoreLayer(RedisChannelLayer):
    """The stock one under another name."""


class OwnPubSubLayer(RedisPubSubChannelLayer):
    """That of pub/sub."""
