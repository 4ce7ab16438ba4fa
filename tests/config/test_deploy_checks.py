"""Django's own checks of a deployment find nothing in the settings of production."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from config.settings import SECRETS_HINT
from tests.config.https_site import ENVIRONMENT
from tools import secrets_file
from tools.deployment.deployment import bare_environment, manage

PROXIES = {
    "a proxy that is trusted": {},
    "no proxy that is trusted": {"TRUSTED_PROXY_COUNT": "0"},
}


def make_secrets_by_hand() -> dict[str, str]:
    """Run both commands of the hint."""
    commands = re.findall(r'python -c "([^"]+)"', SECRETS_HINT)
    secret_key, master_key = (
        subprocess.run(
            [sys.executable, "-c", command], capture_output=True, text=True, check=True
        ).stdout.strip()
        for command in commands
    )
    return {"SECRET_KEY": secret_key, "MASTER_KEYS": f"1:{master_key}"}


def check(secrets: dict[str, str], changes: dict[str, str]) -> None:
    environment = bare_environment("postgres://holdfast:secret@127.0.0.1:1/holdfast") | {
        **ENVIRONMENT,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        **secrets,
        **changes,
    }
    manage(environment, "check", "--deploy", "--fail-level", "WARNING")


@pytest.mark.parametrize("name", PROXIES)
def test_the_checks_of_a_deployment_are_clean(name: str) -> None:
    check(make_secrets_by_hand(), PROXIES[name])


def test_the_checks_are_clean_with_the_file_of_secrets(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    secrets_file.write(path)
    lines = [line.partition("=") for line in path.read_text().splitlines() if line[0] != "#"]
    check({name: value for name, _, value in lines}, {})
