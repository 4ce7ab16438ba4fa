"""The tests that docs/guarantees.md names exist, and a chaos run does not count outages of the
database and empty replies of the provider."""

import re
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from tests.chaos.monitor import MAX_OUTAGE_SECONDS, DatabaseOutages, Monitor, Takeover
from tests.chaos.processes import ROOT
from tests.chaos.script import AnswerScript, ProviderFault
from tests.chaos.verdict import is_provider_error

PAGE = ROOT / "docs" / "guarantees.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def test_every_promise_names_tests_that_exist() -> None:
    promises = re.split(r"^\*\*\d\. ", PAGE.read_text().split("\n## ")[1], flags=re.MULTILINE)[1:]
    assert len(promises) == 8
    for promise in promises:
        named = NAMED.findall(promise)
        assert named, promise
        for file, test in named:
            source = (ROOT / file).read_text()
            assert re.search(rf"^(async )?def {test}\(", source, re.MULTILINE), (file, test)


def test_only_the_seconds_without_a_database_are_forgiven() -> None:
    outages = DatabaseOutages()
    assert outages.count_available_seconds(0, 10) == 10
    outages.record_failure(20)
    assert outages.count_available_seconds(10, 30) == 10, "it does not answer yet"
    outages.record_failure(21)  # again without an answer: the same outage
    outages.record_answer(50)
    outages.record_answer(51)  # answering all the time
    assert outages.count_available_seconds(10, 60) == 20
    assert outages.count_available_seconds(30, 60) == 10
    assert outages.count_available_seconds(0, 20) == 20
    assert outages.count_available_seconds(50, 70) == 20
    assert outages.count_available_seconds(25, 45) == 0
    outages.record_failure(100)
    assert outages.count_available_seconds(90, 100 + MAX_OUTAGE_SECONDS + 7) == 10 + 7, (
        "an outage without an end"
    )


def test_the_wait_for_an_owner_counts_only_while_a_worker_could_claim() -> None:
    stack: Any = SimpleNamespace(environment={"DATABASE_URL": ""}, workers=[])
    monitor, dead = Monitor(stack), uuid4()
    ownerless = {"id": 7, "state": "running", "worker_id": None}
    orphaned = {"id": 8, "state": "running", "worker_id": dead}
    monitor.times.takeovers.append(killed := Takeover("kill", 9.0, {8: dead}))
    monitor._update([ownerless, orphaned], now=10)
    monitor.outages.record_failure(11)  # a shutdown that waits for a frozen process
    monitor.outages.record_answer(71)
    monitor._update([ownerless, orphaned], now=72)
    assert (monitor.times.max_ownerless_seconds, killed.max_seconds) == (2, 3)
    monitor._update([ownerless, orphaned], now=74)
    assert (monitor.times.max_ownerless_seconds, killed.max_seconds) == (4, 5), (
        "with a database the seconds count"
    )
    monitor._update([], now=75)
    assert not killed.remaining
    assert killed.max_seconds == 6


@pytest.mark.parametrize(
    ("error_class", "fault", "is_expected"),
    [
        ("network", "", True),
        ("no_response", "stall", True),
        ("empty_reply", "end", True),
        ("empty_reply", "cut", False),
        ("internal", "end", False),
    ],
)
def test_only_a_fault_of_the_provider_explains_a_failed_reply(
    error_class: str, fault: ProviderFault, is_expected: bool
) -> None:
    script = AnswerScript("s", pieces=9, delay=0, fault=fault)
    assert is_provider_error(error_class, script) is is_expected
