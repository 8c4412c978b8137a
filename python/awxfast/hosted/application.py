"""Imports the application that is to be hosted, and tells why that failed."""

import difflib
import importlib
import inspect
import logging
import sys
import sysconfig
import traceback
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from asgiref.compatibility import guarantee_single_callable
from asgiref.typing import ASGI3Application

from awxfast.errors import ApplicationNeedsRedis, ConfigurationError, StartError
from awxfast.system.whoami import whoami

log = logging.getLogger(__name__)

LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})


def load_application(path: str) -> ASGI3Application:
    """The object that `module:attribute` names, looked for in the current folder first, as daphne does.

    ASGI 2 applications are wrapped. Raises `ConfigurationError` where there is no such module or attribute, or it is no
    application; `ApplicationNeedsRedis` when the import ended because Redis does not answer, and `StartError` for all
    else. A module that failed half-way is not to be imported again in this process.
    """
    folder = find_folder()
    if folder is not None:
        sys.path.insert(0, folder)
    module_name, _, attributes = path.partition(":")
    target = import_module(path, module_name)
    for name in attributes.split("."):
        target = find_attribute(path, target, name)
    if not callable(target):
        raise ConfigurationError(f"{path} can't be hosted: it is no ASGI application but {type(target).__name__!r}")
    if is_wsgi(target):
        raise ConfigurationError(f"{path} is a WSGI application; give {name_asgi(path)}")
    application: ASGI3Application = guarantee_single_callable(target)  # type: ignore[no-untyped-call]
    return application


def find_folder() -> str | None:
    """The current folder; None when it was deleted, as a release is that a newer one took the place of."""
    try:
        return str(Path.cwd())
    except FileNotFoundError:
        return None


def import_module(path: str, name: str) -> Any:
    """The module of this name, for the application `path`. Raises as `load_application`."""
    try:
        return importlib.import_module(name)
    except BaseException as error:
        log.debug("what the import ended with", exc_info=True)
        if is_missing(name, error):
            where = find_folder() or "the current folder, which was deleted,"
            raise ConfigurationError(
                f"APPLICATION {path}: there is no module {name!r} in {where} or on Python's path"
            ) from error
        raise explain(path, error) from error


def is_missing(module_name: str, error: BaseException) -> bool:
    """Whether it is the module itself, or a package that it should stand in, that is not there."""
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    return missing is not None and f"{module_name}.".startswith(f"{missing}.")


def is_wsgi(target: Any) -> bool:
    """Whether it takes two arguments, environ and start_response (PEP 3333). ASGI 3 takes three, ASGI 2 one."""
    if inspect.iscoroutinefunction(target) or inspect.iscoroutinefunction(getattr(target, "__call__", None)):  # noqa: B004
        return False
    return takes(target, 2) and not takes(target, 3) and not takes(target, 1)


def takes(target: Any, count: int) -> bool:
    """Whether it can be called with so many positional arguments; true of what does not tell."""
    try:
        inspect.signature(target).bind(*range(count))
    except TypeError:
        return False
    except ValueError:
        return True
    return True


def name_asgi(path: str) -> str:
    """What may have been meant, as Django names its modules."""
    module, _, attribute = path.partition(":")
    package, _, last = module.rpartition(".")
    return (
        f"{package}.asgi:{attribute}" if package and last == "wsgi" else "an ASGI one, such as mysite.asgi:application"
    )


def find_attribute(path: str, target: Any, name: str) -> Any:
    """An attribute of a module, or of what stands in it."""
    try:
        return getattr(target, name)
    except AttributeError as error:
        near = difflib.get_close_matches(name, dir(target), 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigurationError(f"APPLICATION {path}: there is no {name!r} in {describe(target)}{hint}") from error
    except BaseException as error:
        log.debug("what the import ended with", exc_info=True)
        raise explain(path, error) from error


def describe(target: Any) -> str:
    """What was looked into, for a line of the log."""
    return f"module {target.__name__!r}" if isinstance(target, types.ModuleType) else f"a {type(target).__name__!r}"


def explain(path: str, error: BaseException) -> StartError | ApplicationNeedsRedis:
    """One line for the operator."""
    text = " ".join(str(error).split()) or "no reason given"
    for cause in list_causes(error):
        if is_redis_away(cause):
            reason = " ".join(str(cause).split())
            return ApplicationNeedsRedis(f"Redis does not answer while {path} is imported, as {whoami()}: {reason}")
    place = find_place(error)
    return StartError(f"{path} can't be imported: {type(error).__name__}: {text}{place}; -v 2 shows the way there")


def is_redis_away(cause: BaseException) -> bool:
    """Whether redis-py says so. Who has not imported it has not heard it, and native mode is spared its import."""
    exceptions: Any = sys.modules.get("redis.exceptions")
    return exceptions is not None and isinstance(cause, exceptions.ConnectionError | exceptions.TimeoutError)


def find_place(error: BaseException) -> str:
    """Where it was raised, as ` (FILE, line N)`, behind the last line that is no library's if that is another.

    The import's own frames count as nobody's.
    """
    if isinstance(error, SyntaxError):
        return f" in {error.filename}" if error.filename else ""  # its text has the file's name and the line
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<frozen")]
    frames = [frame for frame in frames if frame.filename not in (__file__, importlib.__file__)]
    own = [frame for frame in frames if not frame.filename.startswith(LIBRARIES)]
    places = [f"{frame.filename}, line {frame.lineno}" for frame in (*own[-1:], *frames[-1:])]
    return f" ({', which led to '.join(dict.fromkeys(places))})" if places else ""


def list_causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
