"""Settings of the site; SITE_FOLDER has its database, SITE_REDIS are its Redis, with blanks between.

SITE_LAYER is its layer's class, SITE_LAYER_OPTIONS what that is made with beside the usual.
"""

import json
import os
from pathlib import Path

import channels_redis

FOLDER = Path(os.environ["SITE_FOLDER"])

SECRET_KEY = "only for tests"
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "project.urls"
ASGI_APPLICATION = "project.asgi.application"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "channels"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER / "db", "OPTIONS": {"timeout": 20}}}
# The stock layer asks for one connection a message on its way, of which the client library has 100.
# channels_redis 3 opens as many as it needs, and knows no such word.
MANY = {} if channels_redis.__version__.startswith("3.") else {"max_connections": 1_000}
HOSTS = [{"address": url} | MANY for url in os.environ["SITE_REDIS"].split()]
LAYER_OPTIONS = json.loads(os.environ.get("SITE_LAYER_OPTIONS", "{}"))
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": os.environ.get("SITE_LAYER", "channels_redis.core.RedisChannelLayer"),
        "CONFIG": {"hosts": HOSTS, "capacity": 10_000, "group_expiry": 157_784_760, **LAYER_OPTIONS},
    }
}
SESSION_COOKIE_NAME = "awx_sessionid"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
FILE_UPLOAD_MAX_MEMORY_SIZE = 65_536
USE_TZ = True
