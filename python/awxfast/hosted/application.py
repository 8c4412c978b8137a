"""Imports the application that is to be hosted, and tells why that failed."""

import importlib
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import redis.exceptions
from asgiref.compatibility import guarantee_single_callable
from asgiref.typing import ASGI3Application

from awxfast.errors import ApplicationNeedsRedis, StartError
from awxfast.system.whoami import whoami

log = logging.getLogger(__name__)

REDIS_AWAY = (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError)


def load_application(path: str) -> ASGI3Application:
    """The object that `module:attribute` names, looked for in the current folder first, as daphne does.

    ASGI 2 applications are wrapped. Raises `ApplicationNeedsRedis` when the import ended because Redis does not
    answer, and `StartError` for all else. A module that failed half-way is not to be imported again in this process.
    """
    sys.path.insert(0, str(Path.cwd()))
    module_name, _, attributes = path.partition(":")
    try:
        target = importlib.import_module(module_name)
        for name in attributes.split("."):
            target = getattr(target, name)
    except BaseException as error:
        log.debug("what the import ended with", exc_info=True)
        raise explain(path, error) from error
    if not callable(target):
        raise StartError(f"{path} can't be hosted: it is no ASGI application but {type(target).__name__!r}")
    application: ASGI3Application = guarantee_single_callable(target)  # type: ignore[no-untyped-call]
    return application


def explain(path: str, error: BaseException) -> StartError | ApplicationNeedsRedis:
    """One line for the operator."""
    text = " ".join(str(error).split()) or "no reason given"
    for cause in list_causes(error):
        if isinstance(cause, REDIS_AWAY):
            reason = " ".join(str(cause).split())
            return ApplicationNeedsRedis(f"Redis does not answer while {path} is imported, as {whoami()}: {reason}")
    return StartError(f"{path} can't be imported: {type(error).__name__}: {text}; -v 2 shows where")


def list_causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
