"""`python -m awxfast.broadcast`, `awxfast-broadcast`: links this node to the others."""

import asyncio
import logging
import os
import sys
import time
from collections.abc import Sequence

from awxfast import __version__
from awxfast.broadcast.awx_settings import load_awx_settings
from awxfast.broadcast.dialler_resources import DiallerResources
from awxfast.broadcast.era import Era
from awxfast.broadcast.node_redis import find_redis
from awxfast.broadcast.options import DiallerSettings, name_ignored_variables, parse_settings
from awxfast.broadcast.status_table import choose_rows, format_status
from awxfast.engine.open_carrier import open_carrier
from awxfast.errors import RedisError, StartError
from awxfast.exit_codes import run_to_exit_code
from awxfast.process.log import configure_log
from awxfast.process.main import hold_signals, live
from awxfast.process.notify import Notifier
from awxfast.process.renewal import answer_trial, take_left
from awxfast.system.offspring import own_command
from awxfast.system.queued_stream import leave

log = logging.getLogger("awxfast.broadcast")


def main(arguments: Sequence[str] | None = None) -> int:
    """Dials, or prints the status; the exit codes are the server's."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    exit_code = run_to_exit_code("awxfast-broadcast", lambda: run(words))
    if arguments is None:
        leave(exit_code)  # to free a hundred thousand groups one by one takes Python longer than all that is to be done
    return exit_code


def run(words: Sequence[str]) -> int:
    """Runs what the command line asks for."""
    settings = parse_settings(words, os.environ, load_awx_settings())
    if settings.status:
        return print_status(settings)
    if settings.check:
        return check(settings)
    if answer_trial(os.environ, lambda _: check_settings(settings).to_json()):
        return 0
    left = take_left(os.environ)
    configure_log(settings)
    log.info("awxfast %s", __version__)
    warn_of_what_is_ignored(settings)
    if settings.engine is not None:
        open_carrier(settings.engine)  # what is wrong with it is told before anything is started
    hold_signals()
    resources = (
        DiallerResources.open(settings) if left is None else DiallerResources.adopt(settings, left.facts["resources"])
    )
    try:
        live(resources, Notifier(os.environ), left, own_command("awxfast.broadcast.start_child"))
    finally:
        resources.close()
    return 0


def check(settings: DiallerSettings) -> int:
    """Says what is wrong instead of dialling."""
    from awxfast.broadcast.check import run

    configure_log(settings)
    warn_of_what_is_ignored(settings)
    return run(settings)


def warn_of_what_is_ignored(settings: DiallerSettings) -> None:
    """A typing error in a variable must not pass for a setting, nor a peer for one that is dialled."""
    if settings.named_in_vain:
        log.warning("%s: nobody is dialled, because of --no-mesh", settings.named_in_vain)
    if ignored := name_ignored_variables(os.environ):
        log.warning("Environment variables that mean nothing: %s", ignored)


def check_settings(settings: DiallerSettings) -> DiallerSettings:
    """The same. Raises `ConfigurationError` for what no dialler can do."""
    # what a new version imports it must have, too
    from awxfast.broadcast import credentials, engine_side, program  # noqa: F401

    credentials.find_secret(settings)
    credentials.find_keys(settings)
    credentials.make_tls(settings)
    engine_side.open_engine(settings)
    return settings


def print_status(settings: DiallerSettings) -> int:
    """As `awx-manage run_wsbroadcast --status`, with a row for each peer that flags name, else for all with data."""
    from awxfast.broadcast.statistics_writer import fetch_statistics

    try:
        text = asyncio.run(fetch_statistics(find_redis(settings)[0]))
    except RedisError as error:
        raise StartError(str(error)) from error
    era = "Broadcast" if settings.era is Era.BROADCAST else "Relay"
    rows = choose_rows(text, list(dict.fromkeys(member.name for member in settings.peers)))
    print("\n".join(format_status(era, settings.name, rows, time.time())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
