"""The channel layer for producers: `awxfast.layer.RedisChannelLayer` in CHANNEL_LAYERS."""

from awxfast.producer.channel_layer import RedisChannelLayer

__all__ = ["RedisChannelLayer"]
