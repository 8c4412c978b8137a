"""Django's settings, for tests that change them."""

import pytest
from django.conf import settings


@pytest.fixture(scope="session")
def django_settings() -> None:
    """Settings that tests may override."""
    if not settings.configured:
        settings.configure(SECRET_KEY="of the tests")
