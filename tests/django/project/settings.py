"""A project for development. `SITE_APPS` are its applications, `SITE_REDIS` is its Redis, where it has one."""

import os
from pathlib import Path

FOLDER = Path(__file__).resolve().parent

SECRET_KEY = "only for tests"
DEBUG = True
ROOT_URLCONF = "site_asgi"
if "SITE_WITHOUT_ASGI" not in os.environ:
    ASGI_APPLICATION = "site_asgi.application"
INSTALLED_APPS = os.environ.get(
    "SITE_APPS", "awxfast django.contrib.staticfiles django.contrib.contenttypes channels"
).split()
STATIC_URL = "/static/"
STATICFILES_DIRS = [FOLDER / "static"]
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER / "db", "TEST": {"NAME": FOLDER / "test_db"}}
}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {"hosts": [os.environ.get("SITE_REDIS", "redis://127.0.0.1:1")]},
    }
}
