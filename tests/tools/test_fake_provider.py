"""The fake itself, for mistakes that other tests would not notice."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from tools.fake_provider import Behaviour, ErrorAnswer, Fake, Piece, Usage
from tools.fake_provider.prompt_cache import Block, PromptCache


@pytest.fixture(params=["start", "spawn"])
def started_fake(request: pytest.FixtureRequest) -> Iterator[Fake]:
    """In a thread and as a process of its own."""
    with getattr(Fake, request.param)() as started_fake:
        yield started_fake


def ask(started_fake: Fake, prompt: str, **more: object) -> str:
    body = {"model": "m", "messages": [{"role": "user", "content": prompt}], **more}
    request = urllib.request.Request(
        f"{started_fake.openai}/chat/completions",
        json.dumps(body).encode(),
        {"Authorization": "Bearer sk-secret"},
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as response:
        text: str = response.read().decode()
    return text


def test_scripts_are_chosen_by_prompt_and_used_up(started_fake: Fake) -> None:
    started_fake.script(
        Behaviour.of("twice", prompt="kelp", times=2),
        Behaviour.of("once"),
        Behaviour.of("always", times=None),
    )
    told = [ask(started_fake, prompt) for prompt in ("tell kelp", "tides", "kelp", "kelp", "kelp")]
    words = ["twice", "once", "twice", "always", "always"]
    assert [word in text for word, text in zip(words, told, strict=True)] == [True] * 5


def test_an_unscripted_request_gets_the_same_long_answer_each_time(started_fake: Fake) -> None:
    first, second = ask(started_fake, "Hello"), ask(started_fake, "Hello")
    assert first == second
    assert "You said: Hello" in first
    assert first.count("data: ") > 300


def test_it_records_requests_without_keys(started_fake: Fake) -> None:
    ask(started_fake, "Hello", temperature=0.5)
    [record] = started_fake.requests()
    assert (record.prompt, record.state, record.sent) == ("Hello", "finished", 302)
    assert record.body["temperature"] == 0.5
    assert "sk-secret" not in repr(record)


def test_a_behaviour_survives_its_encoding() -> None:
    behaviour = Behaviour(
        pieces=(Piece("a\ud83d"), Piece("hm", "reasoning")),
        hold_after=(1, 2),
        error=ErrorAnswer(0, {"error": "x"}, {"a": "b"}),
        extra=b"\xff\0",
        split_at=(3,),
        usage=None,
    )
    assert Behaviour.from_json(json.loads(json.dumps(behaviour.to_json()))) == behaviour


def test_a_script_may_be_written_by_hand() -> None:
    by_hand = Behaviour.from_json({"deltas": ["a", "b"], "hold_after": 1, "prompt": "kelp"})
    assert by_hand == Behaviour.of("a", "b", hold_after=(1,), prompt="kelp")
    assert Behaviour.from_json({"text": "a"}) == Behaviour.of("a")


# The caches of prompts

PAGE = "k" * 4_000  # 1,000 tokens
OTHER = "claude-sonnet-5"


def read_blocks(cache: PromptCache, *texts: str, model: str = "claude-opus-5") -> Usage:
    """Texts that end with “!” are marked."""
    blocks = [Block(text, text.endswith("!")) for text in texts]
    return cache.read_marked(model, blocks, model)


def test_a_marked_prompt_is_written_once_and_then_read() -> None:
    cache = PromptCache()
    first = read_blocks(cache, PAGE, "a!")
    assert (first.input, first.cached, first.cache_written) == (1_001, 0, 1_001)
    assert read_blocks(cache, PAGE, "a!").cached == 1_001
    longer = read_blocks(cache, PAGE, "a!", PAGE, "b!")
    assert (longer.cached, longer.cache_written) == (1_001, 1_001)
    assert read_blocks(cache, PAGE + "?", "a!").cached == 0
    assert read_blocks(cache, PAGE, "a!", model=OTHER).cached == 0
    assert read_blocks(cache, PAGE).cached == 0


@pytest.mark.parametrize(("between", "cached"), [(18, 1_001), (19, 0)])
def test_a_mark_sees_twenty_blocks_back(between: int, cached: int) -> None:
    cache = PromptCache()
    read_blocks(cache, PAGE + "!")
    later = [Block(PAGE + "!"), *[Block("k")] * between, Block("t", is_marked=True)]
    model = "claude-opus-5"
    assert cache.read_marked(model, later, model).cached == cached


def test_a_prompt_that_is_too_short_for_its_model_is_not_cached() -> None:
    cache = PromptCache()
    for model, written in (("claude-opus-5", 1_001), (OTHER, 0), ("claude-haiku-4-5", 0)):
        assert read_blocks(cache, PAGE + "!", model=model).cache_written == written


def test_an_automatic_cache_holds_whole_steps() -> None:
    cache = PromptCache()
    assert cache.read_automatic("m", PAGE + PAGE).cached == 0
    assert cache.read_automatic("m", PAGE + PAGE).cached == 2_000 // 128 * 128
    assert cache.read_automatic("m", PAGE + "k" * 200 + PAGE).cached == 2_000 // 128 * 128
    assert cache.read_automatic("m", PAGE + "k" * 200 + "?" + PAGE).cached == 1_024
    assert cache.read_automatic("m", PAGE + "?" + PAGE).cached == 0
    assert cache.read_automatic("other", PAGE + PAGE).cached == 0
    assert cache.read_automatic("m", PAGE).cached == 0


def test_more_than_four_marks_are_refused(started_fake: Fake) -> None:
    block = {"type": "text", "text": "k", "cache_control": {"type": "ephemeral"}}

    def send(count: int) -> int:
        message = {"role": "user", "content": [block] * count}
        body = {"model": "m", "max_tokens": 9, "messages": [message]}
        request = urllib.request.Request(
            f"{started_fake.anthropic}/v1/messages", json.dumps(body).encode()
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as response:
            status: int = response.status
        return status

    assert send(4) == 200
    with pytest.raises(urllib.error.HTTPError) as caught:
        send(5)
    assert b"maximum of 4 blocks" in caught.value.read()


def test_only_a_model_that_is_named_for_an_oddity_has_it(started_fake: Fake) -> None:
    for model, is_bent in (("words", False), ("odd-words", True), ("odd-kelp", False)):
        started_fake.script(Behaviour.of("Kelp."))
        text = ask(started_fake, "?", model=model)
        assert (model, text == "no healthy upstream") == (model, is_bent)
