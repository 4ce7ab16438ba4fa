from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.config.https_site import BROKEN_SITE, ENVIRONMENT, ProxiedBrowser, sign_up_administrator
from tools.deployment.deployment import Deployment


@pytest.fixture(scope="package", params=["daphne", "uvicorn"])
def https_deployment(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """One process behind a proxy that ends TLS, on each of the two servers. It has some
    addresses that fail."""
    environment = ENVIRONMENT | BROKEN_SITE
    with Deployment("embedded", server=request.param, environment=environment) as deployment:
        yield deployment


@pytest.fixture(scope="package")
def administrator(https_deployment: Deployment) -> Iterator[ProxiedBrowser]:
    browser = sign_up_administrator(https_deployment, "administrator@holdfast.test")
    yield browser
    browser.close()


@pytest.fixture
def open_browser(https_deployment: Deployment) -> Iterator[Callable[..., ProxiedBrowser]]:
    """Return a function that creates a browser without cookies; it takes the proxy's scheme."""
    with ExitStack() as stack:

        def create(*, proto: str = "https") -> ProxiedBrowser:
            browser = ProxiedBrowser(https_deployment, proto=proto)
            stack.callback(browser.close)
            return browser

        yield create
