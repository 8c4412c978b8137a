"""Django's settings of an application that has some: nothing is imported that it did not import itself."""

import sys
from typing import Any


def find_django_setting(name: str) -> Any:
    """A setting of an application that has Django's settings; None if it is not there."""
    django_conf = sys.modules.get("django.conf")
    if django_conf is None or not django_conf.settings.configured:
        return None
    return getattr(django_conf.settings, name, None)
