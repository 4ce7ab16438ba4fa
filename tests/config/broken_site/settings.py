"""The settings of a deployment under test, with some addresses that fail."""

from tools.deployment.settings import *  # noqa: F403

ROOT_URLCONF = "tests.config.broken_site.urls"
EMAIL_HOST = "127.0.0.1"
EMAIL_PORT = 1  # nobody listens there
EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
