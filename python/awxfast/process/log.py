"""The log on stderr: daphne's format, or one JSON object a line."""

import datetime
import logging
import sys

import orjson

from awxfast.settings import Settings

LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG, logging.DEBUG)


class JsonFormatter(logging.Formatter):
    """One line a record: time (RFC 3339, UTC), level, logger, message, and the traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON text."""
        entry = {
            "time": datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage().encode(errors="replace").decode(),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(entry).decode()


def configure_log(settings: Settings) -> None:
    """Sends the root logger to stderr, from `-v`, `--log-fmt` and `--log-format`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else logging.Formatter(settings.log_fmt))
    logging.basicConfig(level=LEVELS[settings.verbosity], handlers=[handler], force=True)
