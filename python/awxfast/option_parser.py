"""How the words of a command line are read: a parser whose errors are one line, and readers of options' values.

Server, dialler and the small commands share it; errors name the word that is wrong.
"""

import argparse
import dataclasses
import difflib
import logging
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from awxfast.errors import ConfigurationError
from awxfast.system.cores import count_usable_cores

NUMBER = re.compile(r"-\d+|-\d*\.\d+")
"""What argparse takes for one."""

HOST_NAME = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:/@,*\s]+)(:[0-9]+)?")

FOREIGN_OPTIONS = {
    "--host": "--bind",
    "--uds": "--unix-socket",
    "--log-level": "--verbosity",
    "--forwarded-allow-ips": "--trusted-proxy",
    "--ws-ping-interval": "--ping-interval",
    "--ws-ping-timeout": "--ping-timeout",
    "--ws-max-size": "--websocket-max-message-size",
    "--ssl-keyfile": "--endpoint",
    "--ssl-certfile": "--endpoint",
}
"""What other servers call what we have."""


class OptionParser(argparse.ArgumentParser):
    """An `ArgumentParser` whose errors are `ConfigurationError`s, so that the last line on stderr is ours."""

    def error(self, message: str) -> NoReturn:
        raise ConfigurationError(f"{message}; see {self.prog} --help")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """An option that there is none of is blamed by itself: argparse would take its value for an argument."""
        words = list(sys.argv[1:] if args is None else args)
        for word in words[: words.index("--")] if "--" in words else words:
            if is_option(word) and not self._knows(word.partition("=")[0]):
                self.error(f"there is no option {word.partition('=')[0]}{self._suggest(word.partition('=')[0])}")
        known, left = super().parse_known_args(words, namespace)
        if left:
            self.error(f"unrecognized arguments: {' '.join(left)}{self._guess_option(words, left[0])}")
        return known, left

    def show_defaults(self, defaults: Mapping[str, Any]) -> None:
        """Behind each option's help what counts where nothing is given; not where that is nothing."""
        for action in self._actions:
            default = defaults.get(action.dest)
            if action.nargs == 0 or action.help in (None, argparse.SUPPRESS) or default in (None, (), "", False):
                continue
            words = " ".join(default) if isinstance(default, tuple) else f"{default}"
            action.help = f"{action.help} (default: {words.replace('%', '%%')})"

    def _knows(self, name: str) -> bool:
        """Whole, or an abbreviation, or a short one with its value behind it."""
        if not name.startswith("--"):
            return name[:2] in self._option_string_actions
        known = self._option_string_actions
        return name in known or (self.allow_abbrev and any(option.startswith(name) for option in known))

    def _guess_option(self, words: Sequence[str], stray: str) -> str:
        """Which was meant by a word without its dashes, or by a number that stands alone."""
        if bare := [word for word in words if f"--{word}" in self._option_string_actions]:
            return f"; did you mean --{bare[0]}?"
        return f"; did you mean --pid {stray}?" if stray.isdecimal() and self._knows("--pid") else ""

    def _suggest(self, name: str) -> str:
        own = FOREIGN_OPTIONS.get(name, "")
        shown = [action for action in self._actions if action.help != argparse.SUPPRESS]
        known = [option for action in shown for option in action.option_strings if own in ("", option)]
        near = difflib.get_close_matches(own or name, known, 1)
        return f"; did you mean {near[0]}?" if near else ""


@dataclasses.dataclass(frozen=True, slots=True)
class OwnOption:
    """One of awxfast's own options, which is also the environment variable AWXFAST_<NAME>."""

    name: str
    field: str
    parse: Callable[[str], Any]
    help: str
    many: bool = False

    def add_to(self, group: Any) -> None:
        """`group` is a parser, or a group of one's options."""
        group.add_argument(
            self.name,
            dest=self.field,
            type=self.parse,
            action="append" if self.many else "store",
            metavar=self.name.rsplit("-", 1)[-1].upper(),
            help=self.help + (" (several)" if self.many else ""),
        )


def is_option(word: str) -> bool:
    """Whether argparse would take a word for an option: not a number below 0, not a text with blanks."""
    return len(word) > 1 and word[0] == "-" and " " not in word.partition("=")[0] and not NUMBER.fullmatch(word)


class RefuseNotBuilt(argparse.Action):
    """An option that is planned, but not built yet."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        raise ConfigurationError(f"{self.option_strings[0]} is not built yet; leave it out")


def whole_number(least: int | None = None, most: int | None = None) -> Callable[[str], int]:
    """A parser of whole numbers within bounds, both included."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"a whole number is needed, not {text!r}") from None
        if (least is not None and value < least) or (most is not None and value > most):
            bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
            raise argparse.ArgumentTypeError(f"a number {bounds} is needed, not {value}")
        return value

    return parse


positive = whole_number(least=1)

MOST_WORKERS = 64


def workers(text: str) -> int:
    """How many processes: a number, or `auto`: one for each core that this process may use."""
    if text == "auto":
        return min(MOST_WORKERS, count_usable_cores())
    try:
        return whole_number(least=1, most=MOST_WORKERS)(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}; or auto, one for each core") from None


def seconds(text: str) -> float:
    """A duration that is not negative; fractions are allowed."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a number of seconds is needed, not {text!r}") from None
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"a number of seconds is needed, not {text}")
    return value


def non_empty(text: str) -> str:
    """Any text but the empty one."""
    if not text:
        raise argparse.ArgumentTypeError("a value is needed")
    return text


def host_name(text: str) -> str:
    """A host as it stands in an Origin, in lower case, with or without its port."""
    if not HOST_NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no host: give it alone, as awx.example or awx.example:8443 ([::1] for IPv6), without "
            "https://, a path, blanks or *"
        )
    return text.lower()


def one_of(*values: str, not_built: Sequence[str] = ()) -> Callable[[str], str]:
    """A parser of a few words; planned ones that are not built yet are refused by name."""

    def parse(text: str) -> str:
        if text in not_built:
            raise argparse.ArgumentTypeError(f"{text} is not built yet; use {' or '.join(values)}")
        if text not in values:
            raise argparse.ArgumentTypeError(f"{' or '.join(values)} is needed, not {text!r}")
        return text

    return parse


def read_host_port(text: str) -> tuple[str, int] | None:
    """`HOST:PORT`, IPv6 in brackets, without a host 127.0.0.1; None for what is not of this form."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        return None
    return host.strip("[]") or "127.0.0.1", int(port)


def check_log_format(log_fmt: str | None) -> None:
    """A format that `logging` would refuse is named before anything starts."""
    try:
        logging.Formatter(log_fmt)
    except ValueError as error:
        raise ConfigurationError(f"--log-fmt {log_fmt!r}: {error}; use names such as %(message)s") from error
