"""The layer that the environment names where there is no Django, in the variables that the server has for it."""

from collections.abc import Mapping
from typing import Any

from awxfast.errors import ConfigurationError
from awxfast.settings import LAYER_FIELDS, default_layer


def read_layer_variables(environ: Mapping[str, str], layer: str) -> dict[str, Any]:
    """What a layer of this form is told; the server's defaults, which are AWX's, where nothing is said.

    An empty variable counts as absent. Raises `ConfigurationError`.
    """
    defaults = default_layer(layer)
    return {name: read_variable(environ, name, getattr(defaults, name)) for name in LAYER_FIELDS}


def read_variable(environ: Mapping[str, str], name: str, default: str | int) -> str | int:
    """One of them, of the default's kind."""
    variable = f"AWXFAST_{name.upper()}"
    text = environ.get(variable)
    if not text:
        return default
    if isinstance(default, str):
        return text
    if not (text.isascii() and text.isdecimal()):
        raise ConfigurationError(f"{variable}: a whole number is needed, not {text!r}")
    return int(text)
