"""The log on stderr: daphne's format, or one JSON object a line."""

import datetime
import logging
import sys

import orjson

from awxfast.printable import LINE, escape
from awxfast.settings import LogSettings
from awxfast.system.local_time import local_struct, local_zone
from awxfast.system.queued_stream import queue_standard_streams

LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG, logging.DEBUG)


class TextFormatter(logging.Formatter):
    """As `--log-fmt` says, with our own lines always on one: names of nodes and the like come from outside."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line without its traceback."""
        record.message = escape_own(record, record.message)
        return super().formatMessage(record)


class JsonFormatter(logging.Formatter):
    """One line a record: time (RFC 3339, UTC), level, logger, message, and traceback and stack if there are any."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON text, whatever it holds."""
        entry = {
            "time": datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": read_message(record),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        if record.stack_info:
            entry["stack"] = self.formatStack(record.stack_info)
        return orjson.dumps({name: text.encode(errors="replace").decode() for name, text in entry.items()}).decode()


def read_message(record: logging.LogRecord) -> str:
    """The message, or why there is none: a fault in it would be told with lines that are no JSON."""
    try:
        return escape_own(record, record.getMessage())
    except Exception as error:
        return f"a log line at {record.pathname}:{record.lineno} can't be formatted: {type(error).__name__}"


def escape_own(record: logging.LogRecord, message: str) -> str:
    """An application's lines are its own business, and may be several."""
    return escape(message, LINE) if record.name.partition(".")[0] == "awxfast" else message


def configure_log(settings: LogSettings) -> None:
    """Sends the root logger to stderr, from `-v`, `--log-fmt` and `--log-format`; nobody waits for stderr's reader."""
    queue_standard_streams()
    local_zone()  # before an application is imported
    handler = logging.StreamHandler(sys.stderr)
    formatter = JsonFormatter() if settings.log_format == "json" else TextFormatter(settings.log_fmt)
    formatter.converter = local_struct
    handler.setFormatter(formatter)
    logging.basicConfig(level=LEVELS[settings.verbosity], handlers=[handler], force=True)
