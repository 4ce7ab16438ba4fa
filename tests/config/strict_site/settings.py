"""The settings of a deployment under test that waits one second for a body."""

from config import header_limits

header_limits.BODY_TIMEOUT_SECONDS = 1

from tools.deployment.settings import *  # noqa: E402, F403
from tools.deployment.settings import INSTALLED_APPS  # noqa: E402

INSTALLED_APPS = [*INSTALLED_APPS, "tests.config.strict_site"]
