"""The layer as the environment names it."""

import pytest
from awxfast.errors import ConfigurationError
from awxfast.options import parse_settings
from awxfast.producer.layer_variables import read_layer_variables
from awxfast.settings import LAYERS


@pytest.mark.parametrize("layer", LAYERS)
def test_what_is_not_said_is_as_the_server_has_it(layer: str) -> None:
    server = parse_settings(["--layer", layer], {})
    variables = read_layer_variables({"AWXFAST_CAPACITY": ""}, layer)
    assert variables == {name: getattr(server, name) for name in variables}


def test_variables_win() -> None:
    variables = read_layer_variables({"AWXFAST_CAPACITY": "7", "AWXFAST_PREFIX": "p"}, "lists")
    assert (variables["capacity"], variables["prefix"], variables["expiry"]) == (7, "p", 60)


@pytest.mark.parametrize("text", ["-1", "x", "1.5", "²"])
def test_what_is_no_number_is_named(text: str) -> None:
    with pytest.raises(ConfigurationError, match="AWXFAST_CAPACITY: a whole number is needed"):
        read_layer_variables({"AWXFAST_CAPACITY": text}, "core")
