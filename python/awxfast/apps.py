"""Where Django looks for what `"awxfast"` in INSTALLED_APPS stands for."""

from awxfast.django.apps import AwxfastConfig

__all__ = ["AwxfastConfig"]
