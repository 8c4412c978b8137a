"""The URL of `--auth forward=URL`, which is looked at before anything is started."""

import urllib.parse

from awxfast.errors import ConfigurationError


def check_url(url: str) -> str:
    """A URL whose last part names the user, so that the API's objects stand beside it."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or not parts.path.strip("/") or parts.query:
        raise ConfigurationError(f"--auth forward={url}: give the URL of the user, as https://127.0.0.1/api/v2/me/")
    return url
