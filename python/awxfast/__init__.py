"""awxfast: the relay that keeps live job output on when an AWX node, or any Django Channels site, is busy."""

from importlib import import_module
from importlib.metadata import version
from typing import Any

__all__ = ["__version__", "emit"]

__version__ = version("awxfast")


def __getattr__(name: str) -> Any:
    """`emit`, loaded when it is asked for: the server has no use for it."""
    if name == "emit":
        return import_module("awxfast.producer.emit").emit
    raise AttributeError(f"module 'awxfast' has no attribute {name!r}")
