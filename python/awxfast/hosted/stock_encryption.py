"""Other keys for a layer of channels_redis that is in use: its own code has no word for that."""

from typing import Any

ENCRYPTION = ("_serializer", "crypter")
"""Where channels_redis keeps its encryption: since 4.1, and before."""


def encrypt_like(layer: Any, other: Any) -> None:
    """`layer` encrypts from now on as `other` does, which was made with other keys."""
    for name in ENCRYPTION:
        if name in vars(other):
            setattr(layer, name, getattr(other, name))
