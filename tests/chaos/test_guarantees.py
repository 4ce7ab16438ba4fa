"""The page of guarantees names tests; they are there. And what a run of chaos forgives."""

import re
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from tests.chaos.monitor import LONGEST_ABSENCE, Absences, Orphaning, Watch
from tests.chaos.processes import ROOT

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
    absences = Absences()
    assert absences.present(0, 10) == 10
    absences.refused(20)
    assert absences.present(10, 30) == 10, "it is still away"
    absences.refused(21)  # asked again, and in vain: the same absence
    absences.answered(50)
    absences.answered(51)  # there all the time
    assert absences.present(10, 60) == 20
    assert absences.present(30, 60) == 10
    assert absences.present(0, 20) == 20
    assert absences.present(50, 70) == 20
    assert absences.present(25, 45) == 0
    absences.refused(100)
    assert absences.present(90, 100 + LONGEST_ABSENCE + 7) == 10 + 7, "one that never comes back"


def test_a_stream_waits_for_its_owner_only_while_somebody_could_take_it() -> None:
    stack: Any = SimpleNamespace(environment={"DATABASE_URL": ""}, workers=[])
    watch, dead = Watch(stack), uuid4()
    alone = {"id": 7, "state": "running", "worker_id": None}
    orphaned = {"id": 8, "state": "running", "worker_id": dead}
    watch.times.orphanings.append(killed := Orphaning("kill", 9.0, {8: dead}))
    watch._see([alone, orphaned], now=10)
    watch.absences.refused(11)  # a shutdown that waits for a frozen process
    watch.absences.answered(71)
    watch._see([alone, orphaned], now=72)
    assert (watch.times.ownerless, killed.longest) == (2, 3)
    watch._see([alone, orphaned], now=74)
    assert (watch.times.ownerless, killed.longest) == (4, 5), "a fault is one as before"
    watch._see([], now=75)
    assert not killed.left
    assert killed.longest == 6
