"""What can go wrong, as one tree. Each error's text is one line for an operator: the thing and the remedy.

AwxfastError
 +-- ConfigurationError     a wrong option, value or file: exit code 2
 +-- StartError             all else that keeps the server from starting: exit code 1
      +-- ApplicationNeedsRedis  its import failed because Redis is away: another process may try again
      +-- StopAsked         a signal to stop came before it had started: no failure
 +-- HandOverFailed         no other process goes on in this one's place: it goes on itself
 +-- AccessUnavailable      who decides about rights can't be asked; worth another try
      +-- TooManyQuestions  too many wait to be asked about already
 +-- RedisError             Redis is away or answers something else
      +-- RedisUnavailable  not reached, or the connection broke; worth another try
      +-- RedisReplyError   Redis answered with an error; `.code` is its first word
"""


class AwxfastError(Exception):
    """The root; never raised itself."""

    exit_code = 1


class ConfigurationError(AwxfastError):
    """A wrong option, value or file; names it."""

    exit_code = 2


class StartError(AwxfastError):
    """The server can't start: a port in use, no Redis server to run, a descriptor limit."""


class ApplicationNeedsRedis(StartError):
    """The application can't be imported while Redis is away. Only a new process can try again."""

    exit_code = 75


class StopAsked(StartError):
    """The end was asked for before there was anything to end."""

    exit_code = 0


class HandOverFailed(AwxfastError):
    """The process that was to go on can't, or is gone: whoever served until now goes on as if nothing had been."""


class AccessUnavailable(AwxfastError):
    """The API that knows users and rights can't be asked, or answers something else."""


class TooManyQuestions(AccessUnavailable):
    """So many questions wait for that API that there is no room for one more."""


class RedisError(AwxfastError):
    """Redis did not do what it was asked."""


class RedisUnavailable(RedisError):
    """Redis can't be reached, or the connection broke."""


class RedisReplyError(RedisError):
    """Redis answered with an error, which is shown cut, and without what a terminal would obey."""

    def __init__(self, text: str) -> None:
        shown = "".join(char if char.isprintable() else "?" for char in text[:500])
        super().__init__(shown)
        self.code = shown.split(" ", 1)[0]


def describe_unexpected(error: Exception) -> str:
    """For an operator: an error that nobody has words for."""
    return f"unexpected {type(error).__name__}: {error}"


LONGEST_REASON = 4_096
"""Characters: what others raise may be of any length, and becomes a line."""


def cut_reason(text: str) -> str:
    """As much of it as another process is told."""
    return text if len(text) <= LONGEST_REASON else text[:LONGEST_REASON] + "..."
