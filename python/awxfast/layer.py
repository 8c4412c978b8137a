"""The channel layer for producers: `awxfast.layer.RedisChannelLayer` in CHANNEL_LAYERS."""

from awxfast.producer.layer import RedisChannelLayer

__all__ = ["RedisChannelLayer"]
