"""The fake itself, for mistakes that other tests would not notice."""

import json
import urllib.request
from collections.abc import Iterator

import pytest

from tools.fake_provider import Behaviour, ErrorAnswer, Fake, Piece


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
