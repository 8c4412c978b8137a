"""Options that are environment variables too: AWXFAST_<NAME> for each, and which of those that are set mean nothing."""

import argparse
import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from awxfast.errors import ConfigurationError
from awxfast.option_parser import OptionParser

PREFIX = "AWXFAST_"
MOST_IGNORED = 10
"""Variables that one line names: Kubernetes makes a dozen for a service that is called awxfast."""

FLAGS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
"""What a variable says of an option without a value."""


def variable_of(option: str) -> str:
    """The environment variable of one of awxfast's own options."""
    return PREFIX + option.removeprefix("--").replace("-", "_").upper()


def read_environment(
    parser: OptionParser,
    environ: Mapping[str, str],
    options: Iterable[str],
    not_built: Sequence[str],
) -> dict[str, Any]:
    """What the variables AWXFAST_<NAME> ask for; an empty one counts as absent."""
    for name in not_built:
        if environ.get(variable_of(name)):
            raise ConfigurationError(f"{variable_of(name)} is set, but {name} is not built yet; unset it")
    values: dict[str, Any] = {}
    for option in options:
        text = environ.get(variable_of(option))
        if text and not is_service_link(text):
            values |= read_variable(parser, option, text)
    return values


def read_variable(parser: OptionParser, option: str, text: str) -> dict[str, Any]:
    """One variable's value, parsed as on the command line; a flag is `1` or `0`."""
    try:
        return vars(parser.parse_args(spell(parser, option, text)))
    except ConfigurationError as error:
        raise ConfigurationError(f"{variable_of(option)}: {error}") from error


def spell(parser: OptionParser, option: str, text: str) -> list[str]:
    """A variable's value as words of a command line."""
    action = parser._option_string_actions[option]
    if action.nargs == 0:
        if text.lower() not in FLAGS:
            raise ConfigurationError("1 or 0 is needed: it stands for an option without a value")
        return [option] if FLAGS[text.lower()] else []
    words = text.split() if isinstance(action, argparse._AppendAction) else [text]
    return [f"{option}={word}" for word in words]


def is_service_link(text: str) -> bool:
    """Whether Kubernetes wrote it: a service that is called awxfast makes AWXFAST_PORT=tcp://10.0.0.1:80."""
    return text.startswith(("tcp://", "udp://", "sctp://"))


def describe_ignored_variables(environ: Mapping[str, str], known: Iterable[str], without: Iterable[str]) -> str:
    """Variables AWXFAST_<NAME> that mean nothing, for a warning; empty: there is none. Values may be secrets.

    `known` are the names that mean something, `without` the options that have no variable.
    """
    names = sorted(known)
    options = {variable_of(option): option for option in without}
    ours = [name for name in sorted(environ) if name.startswith(PREFIX) and environ[name]]
    ignored = [name for name in ours if name not in names or is_service_link(environ[name])]
    told = [f"{name} ({describe_ignored(name, names, options)})" for name in ignored[:MOST_IGNORED]]
    return ", ".join(told) + ", ..." * (len(ignored) > MOST_IGNORED)


def describe_ignored(name: str, known: Sequence[str], options: Mapping[str, str]) -> str:
    """Why a variable means nothing, and what may have been meant."""
    if name in known:
        return "Kubernetes' word for a service of that name"
    if name in options:
        return f"{options[name]} has no variable"
    names = {one.removeprefix(PREFIX): one for one in known}
    near = difflib.get_close_matches(name.removeprefix(PREFIX), names, 1)
    return f"did you mean {names[near[0]]}?" if near else "there is no such option"
