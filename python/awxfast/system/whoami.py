"""Who this process runs as."""

import getpass


def whoami() -> str:
    """In words, for an operator: a socket or file that can't be opened may be somebody else's."""
    try:
        return f"user {getpass.getuser()}"
    except (KeyError, OSError):
        return "a user without a name"
