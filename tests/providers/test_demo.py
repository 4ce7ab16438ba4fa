"""The model without a key produces the same text every time, at a steady rate."""

import re
import time

import pytest

from streaming.events import Delta, Finish
from streaming.providers import errors
from streaming.providers.adapter import ReplyEvent
from streaming.providers.demo import adapter, prose
from streaming.providers.types import CONTINUE_PROMPT, Request, Turn
from tests.providers.factories import collect_events, join_all_text

PROMPTS = ["Tell me about tides", "What about the kelp?", "", "Some code, please", "🌊" * 500]


@pytest.fixture
def without_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(adapter.TOKENS_PER_SECOND, "demo", 1e9)


async def ask_demo(request: Request) -> list[ReplyEvent]:
    return await collect_events(adapter.DemoAdapter(), request, key="")


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_reply_at_middle_speed_takes_more_than_a_minute(prompt: str) -> None:
    words = adapter.split_tokens(prose.compose_reply(prompt))
    assert 60 < len(words) / adapter.TOKENS_PER_SECOND["demo"] < 120


@pytest.mark.usefixtures("without_delay")
@pytest.mark.parametrize("prompt", PROMPTS)
async def test_the_same_prompt_has_the_same_reply(prompt: str) -> None:
    request = Request("demo", (Turn("user", prompt),))
    first, second = await ask_demo(request), await ask_demo(request)
    assert first == second
    assert join_all_text(first) == prose.compose_reply(prompt)


def test_different_prompts_have_different_replies() -> None:
    assert len({prose.compose_reply(prompt) for prompt in PROMPTS}) == len(PROMPTS)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_reply_shows_every_common_kind_of_markdown(prompt: str) -> None:
    text = prose.compose_reply(prompt)
    kinds = [
        "\n## ",
        "\n- [x] ",
        "\n1. ",
        "\n| Time |",
        "\n```python\n",
        "\n> ",
        "](https://",
        "🌊",
    ]
    assert [kind for kind in kinds if kind not in text] == []
    assert "%%" not in text
    assert "{tides}" not in text


def test_the_topic_of_the_prompt_comes_first() -> None:
    headings = [
        line for line in prose.compose_reply("A table!").splitlines() if line.startswith("## ")
    ]
    assert headings[0] == "## Tides, in a table"


def test_a_prompt_for_a_short_reply_gets_one() -> None:
    assert len(prose.compose_reply("Be brief: kelp?")) < 700


def test_a_prompt_is_quoted_without_its_markup() -> None:
    text = prose.compose_reply("# Hi\n\n<b>[x](y)</b> `a` **b**")
    assert "\n> \\# Hi \\<b\\>\\[x\\]\\(y\\)\\<\\/b\\> \\`a\\` \\*\\*b\\*\\*\n" in text


@pytest.mark.parametrize("prompt", ["Tell me about tides", "a short one"])
def test_it_continues_from_any_position(prompt: str) -> None:
    complete = prose.compose_reply(prompt)
    for at in range(len(complete) + 1):
        turns = (
            Turn("user", prompt),
            Turn("assistant", complete[:at]),
            Turn("user", CONTINUE_PROMPT),
        )
        assert complete[:at] + prose.compose_remainder(turns) == complete


def test_it_continues_a_continued_reply() -> None:
    complete = prose.compose_reply("tides")
    turns = (
        Turn("user", "tides"),
        Turn("assistant", complete[:100]),
        Turn("user", CONTINUE_PROMPT),
        Turn("assistant", complete[100:250]),
        Turn("user", CONTINUE_PROMPT),
    )
    assert prose.compose_remainder(turns) == complete[250:]


@pytest.mark.usefixtures("without_delay")
async def test_it_adds_nothing_to_a_complete_reply() -> None:
    complete = prose.compose_reply("tides")
    turns = (Turn("user", "tides"), Turn("assistant", complete), Turn("user", CONTINUE_PROMPT))
    [finish] = await ask_demo(Request("demo", turns))
    assert isinstance(finish, Finish)
    assert finish.reason == "stop"


def test_only_the_last_prompt_counts() -> None:
    turns = (Turn("user", "tides"), Turn("assistant", "They come."), Turn("user", "kelp"))
    assert prose.compose_remainder(turns) == prose.compose_reply("kelp")


@pytest.mark.usefixtures("without_delay")
async def test_its_usage_counts_its_text() -> None:
    events = await ask_demo(Request("demo", (Turn("user", "four small words here"),)))
    finish = events[-1]
    assert isinstance(finish, Finish)
    assert finish.usage is not None
    assert finish.usage == {"input": 4, "output": len(events) - 1}


@pytest.mark.usefixtures("without_delay")
async def test_it_respects_max_tokens() -> None:
    events = await ask_demo(Request("demo", (Turn("user", "tides"),), max_tokens=5))
    assert [type(event) for event in events] == [Delta] * 5 + [Finish]
    assert isinstance(events[-1], Finish)
    assert events[-1].reason == "length"


async def test_it_streams_at_its_speed() -> None:
    started = time.monotonic()
    events = await ask_demo(Request("demo-fast", (Turn("user", "short"),)))
    assert time.monotonic() - started >= 0.98 * (len(events) - 1) / 400


@pytest.mark.usefixtures("without_delay")
async def test_only_the_beginning_of_a_long_prompt_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The demo runs on the event loop of all streams. 75 demos must not delay the others."""
    lengths: list[int] = []

    class CountingPattern:
        def __init__(self, pattern: re.Pattern[str]) -> None:
            self.pattern = pattern

        def __getattr__(self, name: str) -> object:
            def call(*texts: str) -> object:
                lengths.append(len(texts[-1]))
                return getattr(self.pattern, name)(*texts)

            return call

    for module, name in ((adapter, "TOKEN"), (prose, "SHORTER"), (prose, "MARKUP")):
        monkeypatch.setattr(module, name, CountingPattern(getattr(module, name)))
    long = "seaweed " * 50_000
    turns = (Turn("user", long), Turn("assistant", "Well."), Turn("user", f"{long}and kelp"))
    events = await ask_demo(Request("demo", turns, system=long, max_tokens=1))
    finish = events[-1]
    assert isinstance(finish, Finish)
    assert finish.usage is not None
    assert finish.usage["input"] == (3 * len(long) + len("Well.and kelp")) // 4
    assert max(lengths) < 10_000, "a reply is as long; a prompt is cut before"
    assert prose.compose_reply(long) != prose.compose_reply(f"{long}and kelp")


async def test_a_model_of_another_provider_is_unknown() -> None:
    with pytest.raises(errors.ModelNotFound):
        await ask_demo(Request("gpt-4o", (Turn("user", "tides"),)))
