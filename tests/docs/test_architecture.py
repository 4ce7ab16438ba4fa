"""The routes in docs/architecture.md lead through functions that exist and call each other, and
stay short."""

from __future__ import annotations

import inspect
import re
from itertools import chain, pairwise

import pytest
from channels_redis.pubsub import RedisPubSubLoopLayer

from tests.docs.routes import (
    POST,
    TOKEN,
    Row,
    count_turns_back,
    find_python_function,
    find_script_function,
    mentions,
    read_links,
    read_section,
    read_token_route,
)

MAX_TOKEN_HOPS = 30
MAX_TURNS_BACK = 1
MAX_POST_FILES = 10
LIBRARIES = {"asyncio", "httpx2", "Redis", "the socket"}
"""A hop may receive the token from one of these, whose code is not on the page."""
CALLED_BY_LIBRARY = {
    "SealedLayer.serialize": RedisPubSubLoopLayer.group_send,
    "SealedLayer.deserialize": RedisPubSubLoopLayer.receive,
}


@pytest.mark.parametrize("heading", [TOKEN, POST])
def test_each_linked_function_exists(heading: str) -> None:
    links = read_links(heading)
    assert links
    assert [str(link) for link in links if not link.read_source()] == []


def test_each_hop_receives_the_token_from_the_hop_before_it() -> None:
    for rows in read_token_route():
        assert rows[0].by in LIBRARIES
        assert [str(row.hop) for last, row in pairwise(rows) if not hands_on(last, row)] == []


def hands_on(last: Row, row: Row) -> bool:
    sender, receiver = last.hop.read_source(), row.hop.read_source()
    match row.by:
        case "call":
            return mentions(sender, row.hop.short_name)
        case "return":
            return mentions(receiver, last.hop.short_name)
        case "iterator":
            return "yield" in sender and ("async for" in receiver or "anext(" in receiver)
        case by if by in LIBRARIES:
            return True
        case store:
            readers = [receiver, *(helper.read_source() for helper in row.helpers)]
            name = store.strip("`")
            return mentions(sender, name) and any(mentions(reader, name) for reader in readers)


def test_each_helper_is_called_by_its_hop_or_by_a_helper_before_it() -> None:
    for row in chain(*read_token_route()):
        callers = [row.hop.read_source()]
        for helper in row.helpers:
            if library := CALLED_BY_LIBRARY.get(helper.name):
                callers.append(inspect.getsource(library))
            assert any(mentions(source, helper.short_name) for source in callers), helper
            callers.append(helper.read_source())


def test_a_token_takes_few_hops_and_turns_back_once_at_most() -> None:
    rows = [*chain(*read_token_route())]
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert len(rows) <= MAX_TOKEN_HOPS
    assert sum(map(count_turns, read_token_route())) <= MAX_TURNS_BACK


def count_turns(rows: list[Row]) -> int:
    """Helpers return to their hop, and are no turn back."""
    return count_turns_back([link.file for row in rows for link in (*row.wakers, row.hop)])


def test_the_page_counts_every_link_of_the_route() -> None:
    rows = [*chain(*read_token_route())]
    wakers, helpers = sum(len(row.wakers) for row in rows), sum(len(row.helpers) for row in rows)
    total = len(rows) + wakers + helpers
    tables = [line for line in read_section(TOKEN).splitlines() if line.startswith("|")]
    assert sum(line.count("](../") for line in tables) == total
    counts = [len(rows), sum(map(count_turns, read_token_route())), helpers, wakers, total]
    stated = re.search(
        r"there are (\d+) hops and (\d+) turn back.*With (\d+) helpers and (\d+) functions that "
        r"wake a hop, (\d+) functions are linked",
        read_section(TOKEN).replace("\n", " "),
    )
    assert stated
    assert [int(count) for count in stated.groups()] == counts


def test_a_post_passes_through_few_files() -> None:
    assert len({link.file for link in read_links(POST) if link.name not in LATER}) <= MAX_POST_FILES


LATER = {"prepare", "finalize", "end"}
"""Functions of the section that run after the POST."""


def test_turns_back_are_counted() -> None:
    assert count_turns_back(["a", "a", "b", "b"]) == 0
    assert count_turns_back(["a", "b", "a", "c", "a"]) == 2


def test_a_function_is_found_only_in_its_class() -> None:
    python = "class A:\n    def f(self): pass\n\ndef g(): f()"
    assert find_python_function(python, "A.f") == "def f(self): pass"
    assert [find_python_function(python, name) for name in ("f", "A.g", "B.f")] == ["", "", ""]
    script = "class A {\n  #f() {\n    g();\n  }\n}\nexport function* g() {\n  f();\n}\n"
    assert find_script_function(script, "A.#f") == "  #f() {\n    g();\n  }"
    assert find_script_function(script, "g") == "export function* g() {\n  f();\n}"
    assert [find_script_function(script, name) for name in ("f", "A.g", "A.f")] == ["", "", ""]
