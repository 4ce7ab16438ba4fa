"""Requests keep the beginning that a provider has in its cache of prompts, for every adapter."""

import json
from dataclasses import replace
from typing import Any

import pytest

from streaming.providers import anthropic, prompt_cache
from streaming.providers.openai import chat_completions, responses
from streaming.providers.prompt_cache import MARK, build_marked_prompt
from streaming.providers.registry import get_adapter
from streaming.providers.types import CONTINUE_PROMPT, Request, Turn
from tests.providers.factories import collect_events
from tests.providers.wires import WIRES, Wire
from tools.fake_provider import Behaviour, Fake

LONG = "The tide comes in twice a day. " * 200
TURNS = tuple(
    Turn("assistant" if number % 2 else "user", f"{number} {LONG}") for number in range(25)
)
REQUEST = Request("claude-opus-5-5", TURNS, LONG, cache_key="k1")


def list_marks(request: Request) -> list[int]:
    """Positions of the turns with a mark; -1 is the system prompt."""
    system, messages = build_marked_prompt(request)
    marked = [-1] if any("cache_control" in block for block in system) else []
    return marked + [
        at
        for at, message in enumerate(messages)
        if any("cache_control" in block for block in message["content"])
    ]


def without_marks(value: Any) -> Any:
    if isinstance(value, list):
        return [without_marks(each) for each in value]
    if isinstance(value, dict):
        return {key: without_marks(each) for key, each in value.items() if key != "cache_control"}
    return value


def test_the_system_prompt_and_the_two_newest_questions_are_marked() -> None:
    assert list_marks(REQUEST) == [-1, 22, 24]
    assert list_marks(replace(REQUEST, turns=TURNS[:1])) == [-1, 0]
    assert list_marks(replace(REQUEST, system="")) == [22, 24]
    assert list_marks(replace(REQUEST, system="Be brief.")) == [22, 24]


def test_a_request_to_continue_is_not_marked() -> None:
    """No other request repeats it; the question before it was marked by the reply that broke."""
    rest = (*TURNS[:5], Turn("assistant", "Kelp is"), Turn("user", CONTINUE_PROMPT))
    assert list_marks(replace(REQUEST, turns=rest)) == [-1, 2, 4]


def test_a_request_whose_text_is_not_sent_again_has_no_marks() -> None:
    """Tokens that are added to the cache cost more than others."""
    body = anthropic.build_body(replace(REQUEST, cache_key="", turns=TURNS[:1]))
    assert body["system"] == LONG
    assert body["extra_body"]["messages"] == [{"role": "user", "content": TURNS[0].text}]


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        ("claude-opus-5-5", 512),
        ("claude-fable-5-2", 512),
        ("claude-haiku-9", 512),
        ("claude-sonnet-5", 1_024),
        ("claude-opus-4-8", 1_024),
        ("claude-sonnet-4-5-20250929", 1_024),
        ("claude-3-7-sonnet-latest", 1_024),
        ("claude-opus-4-7", 2_048),
        ("claude-haiku-4-5", 4_096),
        ("claude-opus-4-6", 4_096),
    ],
)
def test_a_prompt_that_is_too_short_for_the_model_has_no_marks(model: str, tokens: int) -> None:
    assert prompt_cache.find_min_tokens(model) == tokens
    dense = "7 " * tokens
    request = Request(model, (Turn("user", dense),), cache_key="k1")
    assert list_marks(request) == [0]
    assert list_marks(replace(request, turns=(Turn("user", dense[:-1]),))) == []
    assert list_marks(replace(request, turns=(Turn("user", dense[:-2]),), system="Hi")) == [0]


def test_a_hint_follows_the_mark() -> None:
    turns = (*TURNS[:2], replace(TURNS[2], hint="All of it."))
    _, messages = build_marked_prompt(replace(REQUEST, turns=turns))
    assert messages[2]["content"] == [
        {"type": "text", "text": TURNS[2].text, **MARK},
        {"type": "text", "text": "All of it."},
    ]


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
async def test_a_request_begins_with_the_bytes_of_the_one_before(fake: Fake, wire: Wire) -> None:
    """A hint of the earlier one stands behind everything that the later one repeats."""
    adapter = get_adapter(wire.provider, base_url=wire.base_url(fake))
    request = Request(wire.model, TURNS, LONG, cache_key="k1")
    hinted = (*TURNS[:6], replace(TURNS[6], hint="All of it."))
    fake.script(Behaviour.of("Yes", times=None))
    for turns in (TURNS[:7], hinted, TURNS[:9]):
        await collect_events(adapter, replace(request, turns=turns))
    plain, with_hint, later = (write_prompt(record.body) for record in fake.requests())
    shared = plain[: plain.index(TURNS[6].text) + len(TURNS[6].text)]
    assert with_hint.startswith(shared)
    assert later.startswith(shared)
    assert "All of it." in with_hint


def write_prompt(body: dict[str, Any]) -> str:
    """The system prompt and the turns of a request, in the order of the model."""
    names = ("system", "instructions", "systemInstruction", "messages", "input", "contents")
    prompt = [without_marks(body[name]) for name in names if name in body]
    return json.dumps(prompt, ensure_ascii=False)


def test_only_openai_itself_is_told_which_requests_belong_together() -> None:
    for is_official in (True, False):
        chat = chat_completions.build_body(REQUEST, is_official=is_official)
        response = responses.build_body(REQUEST, is_official=is_official)
        assert ("prompt_cache_key" in chat) is ("prompt_cache_key" in response) is is_official
    alone = replace(REQUEST, cache_key="")
    assert "prompt_cache_key" not in chat_completions.build_body(alone, is_official=True)
