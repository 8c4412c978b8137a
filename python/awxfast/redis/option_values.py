"""Values of options: from Python settings they may have any type, from a URL they are text."""

from typing import Any

from awxfast.redis.wrong_option import WrongOption

FALSE = ("0", "F", "FALSE", "N", "NO")
"""What redis-py takes for false in a URL; any other text is true."""

TRUE = ("1", "T", "TRUE", "Y", "YES")


def read_text(name: str, value: Any) -> str:
    """A text, not empty. Raises `WrongOption`, as all of these do."""
    if isinstance(value, str) and value and "\0" not in value and is_unicode(value):
        return value
    raise WrongOption(f"{name} is a text")


def read_host(name: str, value: Any) -> str:
    """A name or address that a resolver can be asked for, and that makes one line of a log."""
    host = read_text(name, value)
    if not is_host(host):
        raise WrongOption(f"{name} is the name or the address of a machine")
    return host


def is_host(text: str) -> bool:
    """Whether a resolver takes it at all: a part of a name has 1 to 63 bytes."""
    try:
        return bool(text.encode("idna")) and text.isprintable()
    except UnicodeError:
        return False


def is_unicode(text: str) -> bool:
    """Whether it can be sent: halves of surrogate pairs stand for bytes that were no UTF-8."""
    try:
        return text.encode() is not None
    except UnicodeEncodeError:
        return False


def read_flag(name: str, value: Any) -> bool:
    """A truth value, or a word for one."""
    if isinstance(value, str):
        if value.upper() in (*FALSE, *TRUE):
            return value.upper() in TRUE
    elif isinstance(value, int):
        return bool(value)
    raise WrongOption(f"{name} is true or false")


def read_seconds(name: str, value: Any) -> float:
    """More than none, or a text that says so."""
    seconds = read_number(name, value)
    if not 0 < seconds < 1e6:
        raise WrongOption(f"{name} is a number of seconds, more than 0")
    return seconds


def read_number(name: str, value: Any) -> float:
    """A number, or a text that is one."""
    try:
        if isinstance(value, bool):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise WrongOption(f"{name} is a number") from error


def read_whole(name: str, value: Any, least: int, most: int) -> int:
    """A whole number in bounds, or a text that is one."""
    is_text = isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 12
    if is_text or (isinstance(value, int) and not isinstance(value, bool)):
        number = int(value)
        if least <= number <= most:
            return number
    raise WrongOption(f"{name} is a whole number from {least} to {most}")
