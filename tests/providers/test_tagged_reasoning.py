"""Reasoning that a server leaves in the text, with and without its opening tag."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.events import Delta, StreamText
from streaming.providers.adapter import ReplyEvent
from streaming.providers.http.adapter import HttpAdapter
from streaming.providers.http.tagged_reasoning import (
    TaggedReasoningSplitter,
    remove_tagged_reasoning,
)
from streaming.providers.reasoning_mark import REASONING_MARK, TEXT_MARK, split_marked_reasoning
from streaming.providers.registry import get_adapter
from streaming.providers.types import Request, Turn
from tests.providers.factories import collect_until_error, join_text
from tests.providers.wires import WIRES, Wire
from tools.fake_provider import Behaviour, ErrorAnswer, Fake, Piece

FENCED = "Like this:\n```html\n</think>\n```\nDone."
INLINE = "A block opens with `<think>` and closes with `</think>`."


def split_pieces(pieces: list[str]) -> tuple[str, str]:
    """Return the text and the reasoning that a reader of the stream has at the end."""
    splitter = TaggedReasoningSplitter()
    deltas = [part for piece in pieces for part in splitter.split_delta(Delta(piece))]
    return read_deltas([*deltas, *splitter.flush_held(is_whole=True)])


def read_deltas(events: list[ReplyEvent]) -> tuple[str, str]:
    found = StreamText(join_text(events), join_text(events, "reasoning"))
    split = split_marked_reasoning(found)
    return split.content, split.reasoning


CASES = [
    ("<think>\nOkay, a greeting.\n</think>\n\n**Hello!**", "**Hello!**", "Okay, a greeting."),
    ("Okay, a greeting.\n</think>\n\n**Hello!**", "**Hello!**", "Okay, a greeting."),
    ("Okay, a greeting.</think>Hello!", "Hello!", "Okay, a greeting."),
    ("Okay. </think> Hello!", "Hello!", "Okay."),
    ("\n\n<think>Okay</think>Hello", "Hello", "Okay"),
    ("<think>\n\n</think>\n\nHello", "Hello", ""),
    ("<think></think>Hello", "Hello", ""),
    ("</think>\n\nHello", "Hello", ""),
    ("<think>a</think>\n<think>b</think>\nHello", "Hello", "a\n\nb"),
    ("<Thinking>a</THINKING>Hello", "Hello", "a"),
    ("<thought>a</thought>Hello", "Hello", "a"),
    ("<thoughts>a</thoughts>Hello", "Hello", "a"),
    ("<reasoning>a</reasoning>Hello", "Hello", "a"),
    ("<seed:think>a</seed:think>Hello", "Hello", "a"),
    ("[THINK]a[/THINK]Hello", "Hello", "a"),
    ("◁think▷a◁/think▷Hello", "Hello", "a"),
    ("<|START_THINKING|>a<|END_THINKING|><|START_RESPONSE|>Hello<|END_RESPONSE|>", "Hello", "a"),
    (
        "<|begin_of_thought|>\n\na\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\nHello",
        "Hello",
        "a",
    ),
    (
        "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>Hello",
        "Hello",
        "a",
    ),
    ("<|channel>thought\na\n<channel|>Hello", "Hello", "a"),
    ("<|channel>thought\n<channel|>Hello", "Hello", ""),
    ("a\n<channel|>\nHello", "Hello", "a"),
    ("<|START_THINKING|>a<|END_THINKING|><|START_TEXT|>Hello<|END_TEXT|>", "Hello", "a"),
    ('<think type="reasoning">a</think>Hello', "Hello", "a"),
    ("<thinking  duration='3s' id=\"x\" >a</thinking>Hello", "Hello", "a"),
    ("<think >a</think>Hello", "Hello", "a"),
    ("\ufeff<think>a</think>Hello", "Hello", "a"),
    ("\n\u200b\ufeff <THINK>a</think>Hello", "Hello", "a"),
    ("\ufeffHello", "\ufeffHello", ""),
    ("<think about it", "<think about it", ""),
    ('<think type="a"\n>b', '<think type="a"\n>b', None),
    ("<think twice> is a song", "<think twice> is a song", ""),
    (f'<think a="{"x" * 190}">b', "", "b"),
    (f'<think a="{"x" * 210}">b', f'<think a="{"x" * 210}">b', ""),
    ("<think type=x>is no tag", "<think type=x>is no tag", ""),
    ("<|channel> is half a tag", "<|channel> is half a tag", ""),
    ("<think>They ask about `</think>`.\n</think>\nIt closes.", "It closes.", None),
    # Closing tags after a reasoning
    (
        "<think>They ask about <think>x</think> tags. I must explain.</think>\n\nHello",
        "Hello",
        "They ask about <think>x\n\ntags. I must explain.",
    ),
    ("<think>\nA\n</think>\n\nB\n</think>\n\nHello", "Hello", "A\n\nB"),
    ("<think>A</think>B\n</think>\nHello", "Hello", "A\n\nB"),
    ("<think>A</think>B\n</think>\nC\n</think>\nHello", "Hello", "A\n\nB\n\n\nC"),
    ("[THINK]A[/THINK]B\n[/THINK]\nHello", "Hello", "A\n\nB"),
    ("A\n</think>\nB\n</think>\nHello", "Hello", "A\n\n\nB"),
    (f"<think>A</think>{INLINE}", INLINE, "A"),
    (f"<think>A</think>{FENCED}", FENCED, "A"),
    ("<think>A</think>Hi <think>x</think> there", "Hi <think>x</think> there", "A"),
    ("<think>A</think>Close it with </think> and go on", "Close it with </think> and go on", "A"),
    ("<think>Only thoughts", "", "Only thoughts"),
    ("Only thoughts\n</think>", "", "Only thoughts"),
    (INLINE, INLINE, ""),
    (FENCED, FENCED, ""),
    ("<think> is a tag.", "<think> is a tag.", ""),
    ("Close it with </think> and go on.", "Close it with </think> and go on.", ""),
    ("Write “</think>”.", "Write “</think>”.", ""),
    ("Hi <think>aside</think> there", "Hi <think>aside</think> there", ""),
    ("Code:\n\n    </think>\n\nDone", "Code:\n\n    </think>\n\nDone", ""),
    ("1 < 2, a[0], <b>", "1 < 2, a[0], <b>", ""),
    ("  indented", "  indented", ""),
    ("<", "<", ""),
]


@pytest.mark.parametrize(("text", "content", "reasoning"), CASES)
def test_reasoning_in_the_text_is_told_apart_across_any_pieces(
    text: str, content: str, reasoning: str | None
) -> None:
    for size in (1, 2, 3, 7, 1000):
        found = split_pieces([text[at : at + size] for at in range(0, len(text), size)])
        assert (size, found[0].strip()) == (size, content.strip())
        assert reasoning is None or found[1] == reasoning


FIELD_CASES = [
    ("more\n</think>\n\nHello", "Hello", "R\n\nmore"),
    ("more\n</think>\r\nHello", "Hello", "R\n\nmore"),
    ("It ends with\n</think>\n", "It ends with\n</think>\n", "R"),
    ("It ends with\n</think>", "It ends with\n</think>", "R"),
    ("Write </think>Hello", "Write </think>Hello", "R"),
    ("a\n</think>" + "\n" * 1_500, "a\n</think>" + "\n" * 1_500, "R"),
]


@pytest.mark.parametrize(("text", "content", "reasoning"), FIELD_CASES)
def test_reasoning_in_a_field_may_go_on_in_the_text(
    text: str, content: str, reasoning: str
) -> None:
    for size in (1, 3, 2_000):
        splitter = TaggedReasoningSplitter()
        pieces = [Delta(text[at : at + size]) for at in range(0, len(text), size)]
        first = splitter.split_delta(Delta("R", "reasoning"))
        deltas = [*first, *(part for piece in pieces for part in splitter.split_delta(piece))]
        found = read_deltas([*deltas, *splitter.flush_held(is_whole=True)])
        assert (size, found[0].strip(), found[1]) == (size, content.strip(), reasoning)


@given(st.text("<>/think`\n a", max_size=60), st.lists(st.integers(0, 60)))
def test_no_split_of_a_text_changes_what_is_reasoning(text: str, cuts: list[int]) -> None:
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[a:b] for a, b in pairwise(edges)]
    assert split_pieces(pieces) == split_pieces([text] if text else [])


@given(st.text(st.characters(codec="utf-8", exclude_characters=f"<[◁{REASONING_MARK}{TEXT_MARK}")))
def test_text_without_tags_passes_untouched(text: str) -> None:
    assert split_pieces(list(text)) == (text, "")
    assert remove_tagged_reasoning(text) == text


def test_a_seam_protects_the_text_before_it() -> None:
    marked = StreamText(f"The beginning, Hm.\n{REASONING_MARK}and the end", "Before.", (15,))
    split = split_marked_reasoning(marked)
    assert (split.content, split.reasoning) == ("The beginning, and the end", "Before.\n\nHm.")
    assert split.seams == (15,)


def test_seams_after_the_reasoning_move_along() -> None:
    marked = StreamText(f"Hm.{REASONING_MARK}One, two", "", (8,))
    assert split_marked_reasoning(marked).seams == (4,)


# Over a socket


async def ask_server(
    fake: Fake, *texts: str, model: str, reason: str | None = "stop"
) -> list[ReplyEvent]:
    """Without a reason, the reply is cut."""
    choices: list[dict[str, Any]] = [{"delta": {"content": text}} for text in texts]
    choices += [{"delta": {}, "finish_reason": reason}]
    events = [{"choices": [choice]} for choice in choices]
    end = "data: [DONE]\n\n" if reason else 'data: {"error": {"message": "boom"}}\n\n'
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + end
    fake.script(Behaviour(error=ErrorAnswer(200, body)))
    adapter = get_adapter("ollama", base_url=fake.openai)
    found, error = await collect_until_error(adapter, Request(model, (Turn("user", "Hi"),)))
    assert bool(error) is (reason in {None, "abort"})
    return found


async def test_a_tagged_reasoning_is_reasoning_while_it_comes(fake: Fake) -> None:
    texts = ("<", "think>\nOkay, a greeting", " it is.\n</th", "ink>\n\n", "Hello", "!")
    events = await ask_server(fake, *texts, model="tagged")
    assert [(event.kind, event.text) for event in events if isinstance(event, Delta)] == [
        ("reasoning", "Okay, a greeting"),
        ("reasoning", " it is."),
        ("text", "Hello"),
        ("text", "!"),
    ]


async def test_a_model_without_opening_tags_is_remembered(fake: Fake) -> None:
    texts = ("Okay,", " a greeting.\n", "</think>", "\n\nHello")
    for _ in range(2):
        events = await ask_server(fake, *texts, model="lone")
        assert join_text(events) == f"Okay, a greeting.\n{REASONING_MARK}Hello"
        assert read_deltas(events) == ("Hello", "Okay, a greeting.")
    third = await ask_server(fake, *texts, model="lone")
    assert [(event.kind, event.text) for event in third if isinstance(event, Delta)] == [
        ("reasoning", "Okay,"),
        ("reasoning", " a greeting."),
        ("text", "Hello"),
    ]


async def test_a_remembered_model_that_did_not_reason_loses_no_text(fake: Fake) -> None:
    for _ in range(2):
        await ask_server(fake, "Hm.\n</think>\nHello", model="sometimes")
    events = await ask_server(fake, "Hello ", "there", model="sometimes")
    assert join_text(events) == f"Hello there{TEXT_MARK}"
    assert read_deltas(events) == ("Hello there", "")
    events = await ask_server(fake, "Hello ", "there", model="sometimes")
    assert (join_text(events), join_text(events, "reasoning")) == ("Hello there", "")


@pytest.mark.parametrize("reason", ["length", "abort", None])
async def test_a_remembered_model_loses_no_text_when_it_is_cut(
    fake: Fake, reason: str | None
) -> None:
    model = f"cut-{reason}"
    for _ in range(2):
        await ask_server(fake, "Hm.\n</think>\nHello", model=model)
    for _ in range(2):  # a cut reply tells nothing about the model
        events = await ask_server(fake, "A plain ", "answer", model=model, reason=reason)
        assert join_text(events, "reasoning") == "A plain answer"
        assert read_deltas(events) == ("A plain answer", "")
    events = await ask_server(fake, model=model, reason=reason)
    assert join_text(events) == ""


async def test_a_server_with_a_field_for_reasoning_is_believed(fake: Fake) -> None:
    events = [
        {"choices": [{"delta": {"reasoning_content": "Hm."}}]},
        {"choices": [{"delta": {"content": "It ends with\n</think>\n"}, "finish_reason": "stop"}]},
    ]
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    fake.script(Behaviour(error=ErrorAnswer(200, body)))
    adapter = get_adapter("ollama", base_url=fake.openai)
    found, _ = await collect_until_error(adapter, Request("fields", (Turn("user", "Hi"),)))
    assert join_text(found) == "It ends with\n</think>\n"


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
@pytest.mark.parametrize("opening", ["<think>", ""])
async def test_any_server_at_an_address_of_ones_own_may_write_tags(
    fake: Fake, wire: Wire, opening: str
) -> None:
    fake.script(Behaviour((Piece(f"{opening}Hm.\n"), Piece("</think>\n\n"), Piece("Hello"))))
    adapter = get_adapter(wire.provider, base_url=wire.base_url(fake))
    found, error = await collect_until_error(adapter, Request(wire.model, (Turn("user", "Hi"),)))
    assert error is None
    assert read_deltas(found) == ("Hello", "Hm.")


@pytest.mark.parametrize("provider", ["openai", "anthropic", "google"])
def test_the_providers_themselves_write_no_tags(provider: str) -> None:
    adapter = get_adapter(provider)
    adapter = getattr(adapter, "responses", adapter)
    assert isinstance(adapter, HttpAdapter)
    assert adapter.create_splitter(Request("tide", (Turn("user", "Hi"),))) is None


@pytest.mark.parametrize("start", ["", "<think>Hm.", "Hm."])
@pytest.mark.parametrize("blank", [" ", "\n", "`"])
def test_endless_blanks_are_not_held_back(start: str, blank: str) -> None:
    splitter = TaggedReasoningSplitter()
    parts = [*splitter.split_delta(Delta(start)), *splitter.split_delta(Delta(blank * 5_000))]
    assert sum(len(part.text) for part in parts) > 4_000 - len("<think>")
    later = [splitter.split_delta(Delta(blank * 500)) for _ in range(3)]
    assert all(sum(len(part.text) for part in each) == 500 for each in later)
