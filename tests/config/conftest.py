import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.config.https_site import BROKEN_SITE, ENVIRONMENT, ProxiedBrowser, sign_up_administrator
from tests.daily import run_one_of_each
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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test for two servers runs on one of them every day; `make prove` runs it on the other,
    too."""
    run_one_of_each(items, remove_server_from_name)


def remove_server_from_name(item: pytest.Item) -> str | None:
    is_own = Path(__file__).parent in item.path.parents
    name, count = re.subn(r"\b(daphne|uvicorn)\b", "", item.nodeid)
    return name if is_own and count else None
