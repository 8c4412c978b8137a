"""awxfast: the relay that keeps live job output on when an AWX node, or any Django Channels site, is busy."""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("awxfast")
