"""The suite of the Durable Streams protocol, unmodified, against the running server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.skipping import skip_or_fail
from tools.deployment.deployment import Deployment, Server
from tools.services import node
from tools.services.durable_streams import PACKAGES, run_suite

CASES = 332
"""All but those of subscriptions, which the suite itself leaves out unless a server has them."""
UNLIMITED = {
    "MAX_TOKEN_REQUESTS_PER_MINUTE": "1000000",
    "API_ORIGINS": "https://example.com",  # of its case for other sites
}
CREATE_TOKEN = """
from accounts.models import User
from accounts.tokens.models import Scope
from accounts.tokens.tokens import create_token

owner = User.objects.create_user("owner@holdfast.test", "kelp-holds-fast-7")
print(create_token(owner, "Suite", [Scope.WRITE], None)[1])
"""


@pytest.fixture(scope="module", autouse=True)
def install_suite() -> None:
    try:
        PACKAGES.install()
    except node.Missing as missing:
        skip_or_fail(str(missing))


@pytest.fixture(params=["embedded", "stack"])
def deployment(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    server: Server = "uvicorn" if request.param == "stack" else "daphne"
    with Deployment(request.param, server=server, environment=UNLIMITED) as deployment:
        yield deployment


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_the_whole_suite_of_the_protocol_passes(deployment: Deployment) -> None:
    token = deployment.manage("shell", "-v", "0", "-c", CREATE_TOKEN).strip().splitlines()[-1]
    report = run_suite(deployment.web.url, token)
    print(f"\nDurable Streams: {len(report.passed)} of {CASES} cases pass")
    assert report.failed == [], report.messages
    assert len(report.passed) >= CASES
