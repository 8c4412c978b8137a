"""The options that daphne has too: their names, how it abbreviates them, and what each takes (docs/options.md)."""

from collections.abc import Sequence
from typing import Any

from awxfast.option_parser import whole_number

DAPHNE_LONG_OPTIONS = (
    "--port",
    "--bind",
    "--websocket_timeout",
    "--websocket_connect_timeout",
    "--unix-socket",
    "--fd",
    "--endpoint",
    "--verbosity",
    "--http-timeout",
    "--access-log",
    "--log-fmt",
    "--ping-interval",
    "--ping-timeout",
    "--websocket-max-message-size",
    "--websocket-max-frame-size",
    "--application-close-timeout",
    "--root-path",
    "--proxy-headers",
    "--proxy-headers-host",
    "--proxy-headers-port",
    "--server-name",
    "--no-server-name",
    "--help",
)


def expand_daphne_abbreviations(arguments: Sequence[str]) -> list[str]:
    """Completes what daphne takes for an abbreviation, before options of ours could make it ambiguous."""
    expanded = list(arguments)
    for index, argument in enumerate(arguments):
        if argument == "--":
            break
        name, equals, value = argument.partition("=")
        matches = [option for option in DAPHNE_LONG_OPTIONS if option.startswith(name)]
        if len(name) > 2 and name.startswith("--") and len(matches) == 1:
            expanded[index] = matches[0] + equals + value
    return expanded


def add_daphne_listeners(group: Any) -> None:
    """Adds the options that say where to listen."""
    group.add_argument("-p", "--port", type=whole_number(0, 65535), help="TCP port; 0 picks a free one")
    group.add_argument("-b", "--bind", dest="host", help="address to bind to, IPv4 or IPv6")
    group.add_argument("-u", "--unix-socket", dest="unix_socket", metavar="PATH", help="a unix socket")
    group.add_argument("--fd", dest="file_descriptor", type=whole_number(least=0), help="an inherited listening socket")
    group.add_argument(
        "-e",
        "--endpoint",
        dest="endpoints",
        action="append",
        help="tcp:port=..:interface=.., tcp6:port=.., unix:PATH:mode=.., fd:fileno=.., "
        "ssl:PORT:privateKey=..:certKey=.., systemd:domain=INET:index=0; may be given several times",
    )


def add_daphne_connections(group: Any) -> None:
    """Limits of one connection, and what proxies say."""
    number = whole_number()
    size = whole_number(least=0)
    group.add_argument("--websocket_timeout", type=number, help="seconds a websocket may last; -1: any")
    group.add_argument("--websocket_connect_timeout", type=number, help="seconds a handshake may take; -1: any")
    group.add_argument("-t", "--http-timeout", type=number, help="seconds a plain request may take")
    group.add_argument("--ping-interval", type=number, help="seconds of silence after which a ping is sent")
    group.add_argument("--ping-timeout", type=number, help="seconds without an answer after which a client is gone")
    group.add_argument("--websocket-max-message-size", type=size, help="bytes of one message received; 0: no limit")
    group.add_argument("--websocket-max-frame-size", type=size, help="bytes of one frame received; 0: no limit")
    group.add_argument("--application-close-timeout", type=number, help="seconds an application may take to end")
    group.add_argument("--root-path", help="the path under which the site lives")
    group.add_argument("--proxy-headers", action="store_true", help="take the client's address from X-Forwarded-For")
    group.add_argument("--proxy-headers-host", help="the header with the client's address")
    group.add_argument("--proxy-headers-port", help="the header with the client's port")


def add_daphne_output(group: Any) -> None:
    """What is written, and where."""
    group.add_argument("-v", "--verbosity", type=whole_number(0, 3), help="0 warnings, 1 start-up lines, 2 debugging")
    group.add_argument("--access-log", metavar="FILE", help="where requests are logged; - is stdout")
    group.add_argument("--log-fmt", help="the log's format, in Python's %% style")
    group.add_argument("-s", "--server-name", help="the Server header's value")
    group.add_argument("--no-server-name", dest="server_name", action="store_const", const="", help="no Server header")
