"""The Django application. It has no models, only a command and the check that the command is the one that is run."""

from typing import Any

from django.apps import AppConfig, apps
from django.core import checks


class AwxfastConfig(AppConfig):  # type: ignore[misc]  # Django has no types
    """Named by its folder, which is where Django looks for commands."""

    name = "awxfast.django"
    label = "awxfast"
    verbose_name = "awxfast"

    def ready(self) -> None:
        """Registers the check of the order in INSTALLED_APPS."""
        checks.register(check_order, checks.Tags.staticfiles)


def check_order(**_: Any) -> list[checks.CheckMessage]:
    """Of several applications that bring a `runserver` the first wins, and django.contrib.staticfiles brings one."""
    names = [config.name for config in apps.get_app_configs()]
    static = "django.contrib.staticfiles"
    if static not in names or names.index(AwxfastConfig.name) < names.index(static):
        return []
    return [checks.Error(f"awxfast must be listed before {static} in INSTALLED_APPS.", id="awxfast.E001")]
