"""The context that a model is sent, by tables of cases, without a database or a provider."""

import re
import time
from functools import partial
from itertools import pairwise, product
from random import Random
from timeit import timeit
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.replies import context, followups
from chat.replies.context import BEGINNING, PromptContext, build_context, build_exact_context
from chat.replies.followups import is_followup
from streaming.providers.types import CONTINUE_PROMPT, Role, Turn


def build_turns(*texts: str) -> tuple[Turn, ...]:
    """Alternating turns; the user's is the first."""
    roles: tuple[Role, Role] = ("user", "assistant")
    return tuple(Turn(roles[at % 2], text) for at, text in enumerate(texts))


def list_texts(prompt_context: PromptContext) -> list[str]:
    return [turn.text for turn in prompt_context.turns]


# First, second and third message


def test_a_first_message_is_sent_alone() -> None:
    planned = build_context(build_turns("What is React?"))
    assert planned.turns == build_turns("What is React?")
    assert planned.system == ""
    assert (planned.stats.turns, planned.stats.refers_back) == (1, False)


def test_a_second_message_is_sent_with_the_history() -> None:
    history = build_turns(
        "What is React?", "A library for interfaces.", "Show me a counter in code"
    )
    planned = build_context(history, system="Be kind.")
    assert planned.turns == history
    assert planned.system == "Be kind."
    assert planned.stats.left_out == 0


def test_a_followup_is_sent_with_a_hint_and_the_whole_answer() -> None:
    answer = "word " * 20_000
    history = build_turns("a", "b", "Write about kelp", answer, "Make it shorter please")
    planned = build_context(history, system="Be kind.", context_window=50_000)
    assert answer in list_texts(planned)
    assert planned.system == "Be kind."
    assert planned.turns[-1] == Turn("user", "Make it shorter please", context.FOLLOWUP_HINT)
    assert planned.stats.refers_back
    assert planned.stats.left_out == 2
    assert planned.stats.reserve == 25_000


def test_a_followup_reserves_one_and_a_half_times_the_answer() -> None:
    answer = "x" * 60_000
    planned = build_context(build_turns("q", answer, "In Python instead"), context_window=1_000_000)
    assert planned.stats.reserve == int(
        (20_000 + context.TOKENS_PER_TURN) * context.FOLLOWUP_RESERVE_FACTOR
    )
    assert (
        build_context(build_turns("q", "x", "In Python instead")).stats.reserve
        == context.DEFAULT_RESERVE_TOKENS
    )


@pytest.mark.parametrize("message", ["Make it shorter please", "Name three fish"])
@pytest.mark.parametrize("max_tokens", [1, 200, 30_000])
def test_max_tokens_are_reserved_for_the_reply(message: str, max_tokens: int) -> None:
    planned = build_context(
        build_turns("q", "x" * 9_000, message), context_window=100_000, max_tokens=max_tokens
    )
    assert planned.stats.reserve == max_tokens


# Limits of the context


@pytest.mark.parametrize(
    ("window", "turn_count"),
    [
        (1_000_000, 7),
        (30_400, 7),
        (30_000, 3),  # Five would fit, but a step leaves out more.
        (20_000, 3),
        (9_000, 3),  # The last exchange, whether it fits or not.
        (10, 3),
    ],
)
def test_the_newest_exchanges_that_fit_the_window_are_sent(window: int, turn_count: int) -> None:
    page = "k" * 12_000  # 4,000 tokens
    history = build_turns(page, "one", page, "two", page, "three", page)
    planned = build_context(history, context_window=window, max_tokens=12_800)
    assert planned.turns == history[-turn_count:]
    assert planned.stats.left_out == 7 - turn_count


def test_the_window_limits_the_history_and_not_the_number_of_turns() -> None:
    history = build_turns(*(str(number) for number in range(2_001)))
    assert len(build_context(history).turns) == 2_001
    assert len(build_context(history, context_window=1_000, max_tokens=100).turns) < 200


def test_the_system_prompt_counts_against_the_window() -> None:
    history = build_turns("k" * 3_000, "k" * 3_000, "k" * 3_000, "k" * 3_000, "Go fish")
    assert len(build_context(history, context_window=8_000, max_tokens=100).turns) == 5
    assert (
        len(build_context(history, context_window=8_000, max_tokens=100, system="s" * 15_000).turns)
        == 3
    )


def test_the_reply_reserves_at_most_half_of_the_window() -> None:
    planned = build_context(
        build_turns("q", "a", "Go fish"), context_window=10_000, max_tokens=1_000_000
    )
    assert planned.stats.reserve == 5_000


def test_the_reserve_does_not_exceed_the_models_output() -> None:
    assert (
        build_context(build_turns("q"), context_window=128_000, max_output=4_096).stats.reserve
        == 4_096
    )


def test_an_unknown_window_is_reported_as_zero_and_has_a_default_size() -> None:
    history = build_turns("k" * 200_000, "k" * 200_000, "k", "k", "Go fish")
    planned = build_context(history)
    assert planned.stats.window == 0
    assert planned.stats.left_out == 2
    assert build_context(history, context_window=200_000).stats.window == 200_000


@pytest.mark.parametrize(
    ("text", "at_least", "at_most"),
    [
        ("", 0, 0),
        ("The quick brown fox jumps over the lazy dog. " * 10, 100, 170),
        ("def f(x):\n    return {k: v for k, v in x.items() if v}\n" * 10, 170, 230),
        ("深い海の底で昆布は揺れている。" * 10, 100, 160),
        ("Ламинария держится за камни. " * 10, 80, 180),
        ("🦀🌊🐚" * 10, 30, 60),
        ("\ud800", 1, 1),
    ],
)
def test_estimates_of_tokens_are_cautious(text: str, at_least: int, at_most: int) -> None:
    """`at_least` is what common tokenizers count."""
    assert at_least <= context.estimate_tokens(text) <= at_most


# Turns that every provider accepts

USER, ASSISTANT = "user", "assistant"


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([], []),
        ([(USER, "q")], [(USER, "q")]),
        ([(ASSISTANT, "a"), (USER, "q")], [(USER, "q")]),
        ([(USER, "q"), (ASSISTANT, "a")], [(USER, "q")]),
        ([(USER, "q"), (ASSISTANT, ""), (USER, "r")], [(USER, "q\n\nr")]),
        (
            [(USER, "q"), (ASSISTANT, " \n"), (USER, "r"), (ASSISTANT, "a"), (USER, "s")],
            [(USER, "q\n\nr"), (ASSISTANT, "a"), (USER, "s")],
        ),
        (
            [(USER, "q"), (ASSISTANT, "cut in the mi"), (USER, "r")],
            [(USER, "q"), (ASSISTANT, "cut in the mi"), (USER, "r")],
        ),
        (
            [(USER, "q"), (ASSISTANT, "a"), (ASSISTANT, "b"), (USER, "r")],
            [(USER, "q"), (ASSISTANT, "a\n\nb"), (USER, "r")],
        ),
        ([(USER, ""), (ASSISTANT, "a"), (USER, "q")], [(USER, "q")]),
    ],
)
def test_turns_are_normalized_for_every_provider(
    history: list[tuple[Role, str]], expected: list[tuple[Role, str]]
) -> None:
    turns = context.normalize_turns(Turn(role, text) for role, text in history)
    assert [(turn.role, turn.text) for turn in turns] == expected


def test_turns_of_one_role_are_joined_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One by one, the text of a long history would be copied once for each turn."""
    made: list[str] = []

    def record(role: Role, text: str, **parts: Any) -> Turn:
        made.append(text)
        return Turn(role, text, **parts)

    history = [Turn("user", f"line {n}") for n in range(1_000)]
    monkeypatch.setattr(context, "Turn", record)
    assert [turn.text for turn in context.normalize_turns(history)] == made
    assert made == ["\n\n".join(turn.text for turn in history)]


ANY_HISTORY = st.lists(
    st.builds(
        Turn, st.sampled_from([USER, ASSISTANT]), st.sampled_from(["", " ", "a", "long " * 500])
    )
)


@given(ANY_HISTORY, st.integers(1, 5_000), st.integers(1, 5_000) | st.none())
def test_normalized_turns_begin_and_end_with_the_user_and_alternate(
    history: list[Turn], window: int, max_tokens: int | None
) -> None:
    question = Turn("user", "Go fish")
    planned = build_context([*history, question], context_window=window, max_tokens=max_tokens)
    roles = [turn.role for turn in planned.turns]
    assert roles[0] == roles[-1] == "user"
    assert all(one != other for one, other in pairwise(roles))
    assert all(turn.text.strip() for turn in planned.turns)
    assert planned.turns[-1].text.endswith("Go fish")


def test_a_continuation_sends_the_partial_text_unchanged() -> None:
    planned = build_context(build_turns("q", "a", "Write about kelp"), partial="Kelp is ")
    assert list_texts(planned)[-3:] == ["Write about kelp", "Kelp is ", CONTINUE_PROMPT]
    assert not planned.stats.refers_back
    assert planned.stats.turns == 5


def test_a_continuation_of_an_empty_text_is_an_ordinary_request() -> None:
    assert list_texts(build_context(build_turns("q"), partial=" \n")) == ["q"]


def test_the_partial_text_counts_against_the_window() -> None:
    history = build_turns("k" * 3_000, "k" * 3_000, "k", "k", "Go fish")
    assert len(build_context(history, context_window=5_000, max_tokens=100).turns) == 5
    assert (
        len(build_context(history, context_window=5_000, max_tokens=100, partial="k" * 9_000).turns)
        == 5
    )


def test_context_stats_can_be_stored_as_json() -> None:
    assert build_context(
        build_turns("q", "a", "shorter please"), context_window=9_000
    ).stats.to_json() == {
        "turns": 3,
        "left_out": 0,
        "refers_back": True,
        "tokens": 59,
        "reserve": 4_500,
        "window": 9_000,
    }


# Follow-ups


@pytest.mark.parametrize(
    "message",
    [
        "Make it shorter please",
        "make it shorter",
        "Can you make that a bit more formal?",
        "Could you translate this into French?",
        "Explain that in simpler words",
        "explain it like I'm five",
        "Shorter",
        "shorter, please!",
        "More formal, please",
        "a bit friendlier",
        "much simpler please",
        "In Python instead",
        "in Rust, please",
        "Use tabs instead.",
        "Now in German",
        "The same but without jargon",
        "as a table",
        "as a bullet list please",
        "in Python",
        "Go on",
        "continue",
        "again",
        "once more, with feeling",
        "Why?",
        "why is that?",
        "How so?",
        "Are you sure?",
        "Is that true?",
        "What do you mean by holdfast?",
        "You said that kelp is no plant. What is it then?",
        "Summarize your last answer",
        "Shorten your reply to two sentences",
        "Expand on the second point",
        "What about the last step?  Rewrite the third paragraph",
        "rewrite it\nas a poem",
        "Thanks! Now make it longer",
        "ok, translate it to Spanish",
        "Give me another example",
        "one more",
        "another version please",
        "What does that mean?",
        "Does it work on Windows?",
        "is that enough for ten users?",
        "That is too long.",
        "not quite",
        "tldr",
        "Elaborate",
        "Fix it",
        "try that again",
        "Convert them to metric",
    ],
)
def test_a_followup_is_recognized(message: str) -> None:
    assert is_followup(message)


@pytest.mark.parametrize(
    "message",
    [
        "",
        "What is React?",
        "Can you give me a code example of a counter?",
        "Write a function that sorts a list",
        "Explain that cats are not dogs",
        "Is it true that the moon is made of rock?",
        "It is raining. What should I wear today?",
        "Why do tides lag the moon?",
        "Plan three quiet days in Lisbon",
        "Within what limits is titanium elastic?",
        "How do I iterate with an iterator in Italian?",
        "Show me this week's weather in Lisbon",
        "What is the shorter route from Bergen to Oslo?",
        "Name three fish",
        "Tell me a story about a lighthouse that moves",
        "In Python, how do I read a file line by line?",
        "What does the fox say?",
        "Translate this into French:\nThe sea is calm tonight.",
        "Make this shorter:\n\nThe sea is calm tonight, the tide is full.",
        "Fix it: ```print(1```",
        "Summarize this https://example.org/kelp please",
        "Make a haiku about the sea, and then " + "explain every word of the haiku to me " * 6,
    ],
)
def test_an_independent_message_is_no_followup(message: str) -> None:
    assert not is_followup(message)


def test_a_first_message_is_never_a_followup() -> None:
    assert not build_context(build_turns("Make it shorter please")).stats.refers_back
    assert not build_context(
        [Turn("user", "q"), Turn("assistant", ""), Turn("user", "shorter")]
    ).stats.refers_back


def test_a_language_can_be_added_as_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_followup("Bitte kürzer")
    row = followups.compile_patterns({"de": (r"^(bitte )?(kürzer|länger)\b",)})
    monkeypatch.setattr(followups, "PATTERNS", followups.PATTERNS + row)
    assert is_followup("Bitte kürzer")


WORDS = sorted({*re.findall("[a-z]+", " ".join(followups.ENGLISH))})
PAIRS = [*product(WORDS, repeat=2)]
MAX_CPU_SECONDS = 0.02


@pytest.mark.parametrize(
    "pairs",
    [
        pytest.param(Random(7).sample(PAIRS, 200), id="some"),
        pytest.param(PAIRS, id="all", marks=pytest.mark.prove),
    ],
)
@pytest.mark.parametrize("run", ["a", "more "])
def test_no_message_makes_the_search_for_references_slow(
    run: str, pairs: list[tuple[str, str]]
) -> None:
    """A pattern that backtracks too much does so behind words that it looks for. The slowest
    message takes 0.2 ms."""
    for two in pairs:
        message = f"{' '.join(two)} {run * followups.MAX_FOLLOWUP_CHARS}"
        message = message[: followups.MAX_FOLLOWUP_CHARS - 1] + "\N{WATER WAVE}"
        check_message = partial(is_followup, message)
        assert timeit(check_message, timer=time.thread_time, number=1) < MAX_CPU_SECONDS, message


# The beginning of the prompt


@pytest.mark.parametrize("window", [20_000, 50_000, 128_000])
def test_old_turns_are_left_out_in_large_steps(window: int) -> None:
    """If each request left out one exchange more, none would find its beginning in the provider's
    cache."""
    random = Random(window)
    turns = build_turns(*("tide " * random.randint(1, 600) for _ in range(599)))
    requests = [build_context(turns[:end], context_window=window) for end in range(1, 600, 2)]
    steps = sum(
        before.stats.left_out != after.stats.left_out for before, after in pairwise(requests)
    )
    room = int(window * (1 - context.MARGIN_SHARE)) - context.DEFAULT_RESERVE_TOKENS
    step_tokens = room * (1 - context.KEPT_SHARE)
    assert 1 < steps <= sum(map(context.estimate_turn_tokens, turns)) / step_tokens
    assert all(request.stats.tokens <= room for request in requests)


def test_a_request_that_needs_more_room_does_not_move_the_next_one() -> None:
    """A follow-up reserves more room, and the rest of a reply is sent with its beginning."""
    page = "k" * 6_000
    turns = build_turns(*[page] * 12, "Make it shorter please", page, "Go fish")
    plan = partial(build_context, context_window=50_000)
    before, after = plan(turns[:11]), plan(turns)
    followup = plan((*turns[:11], Turn("assistant", page * 10), Turn("user", "In Python instead")))
    rest = plan(turns[:11], partial=page * 10)
    assert before.stats.left_out == after.stats.left_out == 0
    assert followup.stats.left_out > 0
    assert rest.stats.left_out > 0


def test_what_is_for_one_request_stands_behind_the_history() -> None:
    turns = build_turns("q", "a", "r", "b", "Make it shorter please")
    plain = build_context((*turns[:4], Turn("user", "Go fish")), system="Be kind.")
    followup = build_context(turns, system="Be kind.")
    rest = build_context(turns, system="Be kind.", partial="It")
    assert plain.system == followup.system == rest.system
    assert plain.turns[:4] == followup.turns[:4] == rest.turns[:4] == turns[:4]
    assert rest.turns[:5] == followup.turns


# The context of a program


def test_a_program_decides_itself_what_the_model_gets() -> None:
    history = build_turns("x" * 9_000, "y" * 9_000, "Make it shorter.")
    usual = build_context(history, context_window=4_000)
    assert usual.turns[-1].hint
    assert len(usual.turns) == 3
    planned = build_exact_context(history * 3, system="Be kind.", context_window=4_000)
    assert all(not turn.hint for turn in planned.turns)
    assert "".join(list_texts(planned)).count("x" * 9_000) == 3
    assert (planned.system, planned.stats.left_out) == ("Be kind.", 0)


def test_a_history_of_a_program_may_begin_with_the_assistant() -> None:
    planned = build_exact_context([Turn("assistant", "Hello!"), Turn("user", "Hi.")])
    assert [turn.role for turn in planned.turns] == ["user", "assistant", "user"]
    assert list_texts(planned) == [BEGINNING, "Hello!", "Hi."]


def test_a_reply_to_a_program_continues_after_a_crash() -> None:
    planned = build_exact_context(build_turns("Why?"), partial="Because of")
    assert list_texts(planned) == ["Why?", "Because of", CONTINUE_PROMPT]
