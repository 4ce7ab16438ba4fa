"""Django's own checks of a deployment find nothing in the settings of production."""

import base64
import secrets

from tests.config.https_site import ENVIRONMENT
from tools.deployment.deployment import bare_environment, manage


def test_the_checks_of_a_deployment_are_clean() -> None:
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    environment = bare_environment("postgres://holdfast:secret@127.0.0.1:1/holdfast") | {
        **ENVIRONMENT,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "MASTER_KEYS": f"1:{key}",
        "REDIS_URL": "redis://127.0.0.1:1/0",
    }
    manage(environment, "check", "--deploy", "--fail-level", "WARNING")
