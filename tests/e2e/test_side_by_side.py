"""A rolling deploy: while processes of the older version run beside new ones, no reply loses or
doubles a word, whichever version writes it, passes it on, shows it or stops it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.skipping import skip_or_fail
from tests.upgrades.checkout import NoHistory, checkout
from tests.upgrades.side_by_side import (
    MAX_LAG_SECONDS,
    OLD_COMMIT,
    MixedDeployment,
    roll_out_and_back,
)
from tools.fake_provider import Fake
from tools.services import Postgres


@pytest.fixture(scope="module")
def old_checkout() -> Iterator[Path]:
    """Check out the code of the older version."""
    try:
        with checkout(OLD_COMMIT) as root:
            yield root
    except NoHistory as reason:
        skip_or_fail(str(reason))


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    "end_worker",
    [
        pytest.param(signal.SIGTERM, id="drained"),
        pytest.param(signal.SIGKILL, id="killed", marks=pytest.mark.prove),
    ],
)
def test_old_and_new_processes_share_replies_and_lose_nothing(
    old_checkout: Path, fake: Fake, postgres_server: Postgres, end_worker: signal.Signals
) -> None:
    migrates = end_worker == signal.SIGKILL  # this takes time
    with MixedDeployment(old_checkout, fake, postgres_server, migrates=migrates) as deployment:
        results = roll_out_and_back(deployment, fake, end_worker)
    assert len(results) == 16
    assert max(result.lag for result in results) < MAX_LAG_SECONDS, "\n".join(map(str, results))
