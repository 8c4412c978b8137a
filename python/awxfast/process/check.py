"""`awxfast --check`: what would keep these settings from serving, in one line each. It keeps no port and serves nobody.

It goes the way of a start: listeners, the application's import, then the rooms as they are built for serving.
"""

import asyncio
import contextlib
import dataclasses
import errno
import functools
import os
import stat
from collections.abc import Callable
from pathlib import Path

import uvloop
from asgiref.typing import ASGI3Application

from awxfast.app.builders import build_relay
from awxfast.errors import ConfigurationError, StartError
from awxfast.hosted.application import load_application
from awxfast.process.addresses import describe_endpoints, parse_endpoint
from awxfast.process.findings import Findings, ask_redis
from awxfast.process.listeners import Listener, is_stale_socket, open_admin, open_listener, open_unix
from awxfast.process.log import configure_log
from awxfast.process.main import warn_of_ignored_variables
from awxfast.process.main_resources import enter_listener, refuse_open_to_strangers, start_private_redis
from awxfast.process.wrong_values import VALUE_CHECKS
from awxfast.redis.address import RedisAddress
from awxfast.settings import Settings


def run(settings: Settings) -> int:
    """Problems on stderr, all else on stdout. Returns 0 without problems, else what a start would end with."""
    configure_log(settings)
    warn_of_ignored_variables()
    findings = Findings("awxfast")
    with contextlib.ExitStack() as resources:
        check_listeners(findings, settings, resources)
        for check in VALUE_CHECKS:
            findings.attempt(check, settings)
        check_behind_them(findings, settings, resources)
    findings.report(PROXY)
    return findings.exit_code


PROXY = "whether a proxy leads browsers here"


def check_listeners(findings: Findings, settings: Settings, resources: contextlib.ExitStack) -> None:
    """Whether they can be meant. That a port is taken is a remark: the server that runs may have it."""
    listeners = []
    for description in describe_endpoints(settings):
        endpoint = findings.attempt(parse_endpoint, description)
        if endpoint is None:
            continue
        if endpoint.kind in ("fd", "systemd"):
            findings.not_looked_at.append(f"{description}, which is there when a supervisor passes it")
        elif endpoint.kind == "unix":
            check_socket_file(findings, endpoint.path, endpoint.mode)
        elif listener := findings.attempt(open_listener, endpoint, any_port=True):
            listeners.append(enter_listener(resources, listener))
            note_taken(findings, functools.partial(open_listener, endpoint))
    findings.attempt(refuse_open_to_strangers, settings, listeners)
    if "/" in settings.admin:
        check_socket_file(findings, settings.admin, 0o600)
    elif admin := findings.attempt(open_admin, settings.admin, any_port=True):
        enter_listener(resources, admin)
        note_taken(findings, functools.partial(open_admin, settings.admin))


def check_socket_file(findings: Findings, path: str, mode: int) -> None:
    """One that is there may be the running server's and stays as it is; else it is made, and removed at once."""
    if not is_socket(path):
        if listener := findings.attempt(open_unix, path, mode):
            listener.close()
        return
    note_taken(findings, functools.partial(is_stale_socket, path))
    if not os.access(Path(path).parent, os.W_OK | os.X_OK):
        findings.add(StartError(f"can't listen on {path}: {os.strerror(errno.EACCES)}; choose another path"))


def is_socket(path: str) -> bool:
    """Whether there is a socket's file, as far as this user may see."""
    try:
        return stat.S_ISSOCK(Path(path).stat().st_mode)
    except (OSError, ValueError):
        return False


def note_taken(findings: Findings, start: Callable[[], Listener | bool | None]) -> None:
    """No problem beside the server that runs, and what a start would end with beside anything else."""
    try:
        listener = start()
    except StartError as error:
        findings.taken.append(f"taken, by the server that runs or a start will fail: {error}")
    else:
        if isinstance(listener, Listener):
            listener.close()


def check_behind_them(findings: Findings, settings: Settings, resources: contextlib.ExitStack) -> None:
    """The application, the rooms and Redis; each needs the one before."""
    application = None
    if settings.application is not None:
        application = findings.attempt(load_application, settings.application)
        findings.not_looked_at.append("what the application does at its start (lifespan) and when it is asked")
        if application is None:
            return
    if findings.exit_code == 2 and settings.redis == ("private",):
        return  # none is started for what can't be meant
    found = findings.attempt(start_private_redis, resources, settings)
    if found is not None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(check_rooms(findings, dataclasses.replace(found[0], access_log="-"), application))


async def check_rooms(findings: Findings, settings: Settings, application: ASGI3Application | None) -> None:
    """Builds them as for serving, asks Redis, and takes them down."""
    relay = findings.attempt(build_relay, settings, application, None)
    if relay is not None:
        await ask_redis(findings, relay.addresses)
        for missing in await relay.find_missing_rights():
            findings.add(ConfigurationError(missing))
        findings.remarks.append(
            f"the nodes' secret: {'set' if relay.has_secret else 'not set (only AWX nodes need one)'}"
        )
        if said := await findings.attempt_async(relay.probe()):
            findings.remarks.append(f"--auth forward: {said}")
        if said := await findings.attempt_async(relay.probe_engine()):
            findings.note_engine(said, settings.engine)
        await relay.stop()
    elif application is None:
        urls = [findings.attempt(RedisAddress.parse, url) for url in settings.redis]
        await ask_redis(findings, [address for address in urls if address is not None])
