"""The page of guarantees names tests; they are there."""

import re

from tests.chaos.children import ROOT

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
