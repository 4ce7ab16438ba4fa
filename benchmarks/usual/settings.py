"""Django and Channels with PostgreSQL and the Redis layer of most tutorials."""

from __future__ import annotations

import environ

env = environ.Env()

SECRET_KEY = "only on loopback, and only for a few minutes"
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["daphne", "channels", "benchmarks.usual"]
ASGI_APPLICATION = "benchmarks.usual.asgi.application"
ROOT_URLCONF = "benchmarks.usual.asgi"
DATABASES = {"default": {**env.db_url("DATABASE_URL"), "CONN_MAX_AGE": None}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        # redis-py's own timeout would end every quiet subscription after 5 seconds.
        "CONFIG": {"hosts": [{"address": env.str("REDIS_URL"), "socket_timeout": None}]},
    }
}
