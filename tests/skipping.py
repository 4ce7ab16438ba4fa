"""Skips a test that cannot run here, unless all checks are required."""

from typing import NoReturn

import pytest

from tools import required_checks


def skip_or_fail(reason: str) -> NoReturn:
    if required_checks.has_to_run_all():
        pytest.fail(reason)
    pytest.skip(reason)
