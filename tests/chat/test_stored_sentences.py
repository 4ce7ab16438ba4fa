"""Notes and errors of streams are stored in English, and shown in the language of the page."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client

from accounts.api_keys import keys
from accounts.models import ApiKey, User
from accounts.sealing import SealBroken, SharedSealBroken
from chat.presentation.stored_sentences import translate_stored
from chat.replies import Reply, shared_key
from chat.replies.credentials import LOST_KEY, open_access
from streaming import lifecycle
from streaming.lifecycle import Ending, queue
from streaming.models import Stream
from streaming.providers import (
    catalog,
    errors,
    missing_answer,
    optional_parts,
    refusals,
    reply_source,
    retries,
)
from streaming.providers.errors import InvalidKey, ProviderError
from streaming.sentences import STORED_SENTENCES
from tests.chat.factories import (
    find_article,
    finish_reply,
    get_path,
    read_html,
    start_reply,
    write_reply,
)
from tests.chat.marked_strings import find_unmarked, find_unmarked_in_engine

ROOT = Path(__file__).parents[2]
PROVIDERS = [
    "OpenAI",
    "Try again in {problem}.",
    "C & A “x”\nRetrying in 3 s (2 of 3)",
    "the server",
]


def every_kind(kind: type[ProviderError] = ProviderError) -> Iterator[type[ProviderError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from every_kind(below)


def every_error(provider: str = "OpenAI") -> Iterator[str]:
    """The messages of all errors of providers, with and without a setting and a time to wait."""
    for kind in every_kind():
        for param in ("", "top_p"):
            for retry_after in (None, 61.0, 900.0, 9000.0):
                error = kind(provider=provider, param=param, retry_after=retry_after)
                yield retries.add_retry_time(error).message
        yield kind(provider=provider, is_keyless=True).message
    for template in (
        errors.UNREADABLE_ANSWER,
        errors.MODEL_NOT_LOADED,
        errors.GATEWAY_FAILED,
        errors.GATEWAY_TIMED_OUT,
        errors.GATEWAY_SIZE_LIMIT,
        errors.GATEWAY_CERTIFICATE,
        errors.REDIRECTED,
    ):
        yield ProviderError(template.format(provider=provider)).message
    yield errors.CutOff("gpt-9").message
    yield errors.COMPRESSED_ANSWER
    yield errors.TOO_MANY_CALLS
    yield errors.CALLS_TOO_LONG
    yield errors.EVENT_TOO_LARGE
    yield catalog.UnknownModel("gpt-9").message
    yield reply_source.ENDED_EARLY
    yield from (missing_answer.NO_TEXT, missing_answer.ONLY_REASONING)
    yield from (missing_answer.ONLY_REASONING_FOR_LENGTH, missing_answer.ONLY_TOOL_CALL)


def every_note() -> Iterator[str]:
    for kind in every_kind():
        for seconds in (0.5, 45.0, 120.0):
            yield retries.format_waiting_note(kind(), seconds, 1)
    yield retries.format_retry_note(2)
    for part in optional_parts.OPTIONAL_PARTS:
        for detail in ("It is not supported.", "It is too high."):
            if note := refusals.format_note(part, errors.BadRequest(detail=detail)):
                yield note
    yield lifecycle.NOTE_LANE_BUSY
    yield lifecycle.NOTE_USER_LIMIT
    for position in (0, 7):
        yield queue._format_queue_note(position)


def every_ending() -> Iterator[str]:
    yield Ending.internal_error().error
    yield lifecycle.SERVER_STOPPED
    yield lifecycle.SOURCE_ENDED_EARLY
    yield str(SealBroken())
    yield str(SharedSealBroken())
    for sentence in (
        LOST_KEY,
        *shared_key.MESSAGE_BY_ERROR.values(),
        *shared_key.MESSAGE_BY_REFUSAL.values(),
    ):
        yield sentence.format(provider="OpenAI")


SENTENCES = sorted({*every_error(), *every_note(), *every_ending()})
NAMES = ["OpenAI", "top_p", "gpt-9"]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_stored_sentence_reads_in_english_as_it_is_stored(sentence: str) -> None:
    assert translate_stored(sentence) == sentence


@pytest.mark.parametrize("provider", PROVIDERS)
def test_values_of_any_kind_stay_as_they_are(provider: str) -> None:
    for sentence in every_error(provider):
        assert translate_stored(sentence) == sentence


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_stored_sentence_is_translated_with_its_values(marked: None, sentence: str) -> None:
    shown = translate_stored(sentence)
    assert shown.startswith("⟦")
    assert shown.endswith("⟧")
    assert shown.replace("⟦", "").replace("⟧", "") == sentence
    assert find_unmarked(shown, NAMES) == []


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("OpenAI rejected your API key.", "⟦OpenAI rejected your API key.⟧"),
        (
            "You’ve hit the rate limit of OpenAI. Try again in a moment.",
            "⟦⟦You’ve hit the rate limit of OpenAI.⟧ Try again in a moment.⟧",
        ),
        (
            "OpenAI is overloaded. Try again in 15 min.",
            "⟦⟦OpenAI is overloaded.⟧ Try again in ⟦15 min⟧.⟧",
        ),
        (
            "Overloaded. Retrying in 4 s (2 of 3)",
            "⟦⟦Overloaded⟧. Retrying in ⟦4 s⟧ (2 of 3)⟧",
        ),
        (
            "This model has no token limit setting. Retrying without it.",
            "⟦This model has no ⟦token limit⟧ setting. Retrying without it.⟧",
        ),
        ("Queued: server busy, 7 before you", "⟦Queued: server busy, 7 before you⟧"),
        ("No OpenAI API key.", "⟦No OpenAI API key.⟧"),
    ],
)
def test_the_sentences_inside_a_sentence_are_translated_too(
    marked: None, stored: str, shown: str
) -> None:
    assert translate_stored(stored) == shown


@pytest.mark.parametrize(
    "sentence",
    ["", "The tide table is wet.", "OpenAI sent something else.", "Delete"],
)
def test_an_unknown_sentence_is_shown_as_it_is(marked: None, sentence: str) -> None:
    assert translate_stored(sentence) == sentence


@pytest.mark.timeout(10)
@pytest.mark.parametrize("part", [". Retrying in 2 s (1 of ", " Try again in a moment.", " s", "“"])
def test_a_sentence_that_a_provider_made_long_costs_nothing(marked: None, part: str) -> None:
    for text in (part * 20, part * 100_000):
        error = errors.BadRequest(provider="OpenAI", param=text)
        assert translate_stored(error.message).strip("⟦⟧").startswith("OpenAI rejected")
        assert text in translate_stored(text).replace("⟦", "").replace("⟧", "")


# On pages


@pytest.mark.parametrize("kind", [*every_kind()], ids=lambda kind: kind.__name__)
def test_the_error_card_is_in_the_language_of_the_page(
    as_owner: Client, reply: Reply, marked: None, kind: type[ProviderError]
) -> None:
    error = kind(provider="OpenAI", param="top_p")
    finish_reply(reply, "Η τριβή.", Ending.from_error(error))
    shown = find_article(read_html(as_owner.get(get_path(reply))), reply.answer)
    assert f'<p class="error-title what">{translate_stored(error.message)}</p>' in shown
    assert translate_stored(error.message) != error.message
    assert Stream.objects.get(pk=reply.stream.pk).error == error.message


@pytest.mark.parametrize("state", ["queued", "running"])
def test_the_note_is_in_the_language_of_the_page(
    owner: User, as_owner: Client, reply: Reply, marked: None, state: str
) -> None:
    note, shown_note = lifecycle.NOTE_LANE_BUSY, "⟦Queued after the previous one⟧"
    if state == "queued":
        reply = start_reply(owner, "Γιατί;", reply.conversation)
    else:
        stream = write_reply(reply, "Η τριβή.")
        note = retries.format_waiting_note(errors.Overloaded(), 3.0, 1)
        shown_note = "⟦⟦Overloaded⟧. Retrying in ⟦3 s⟧ (2 of 3)⟧"
        assert lifecycle.set_note(stream.pk, stream.epoch, note)
    assert Stream.objects.get(pk=reply.stream.pk).note == note
    assert f">{shown_note}<" in find_article(read_html(as_owner.get(get_path(reply))), reply.answer)


def test_what_is_wrong_with_a_key_is_stored_in_english(
    owner: User, reply: Reply, marked: None
) -> None:
    with pytest.raises(InvalidKey, match=r"^No OpenAI API key\.$"):
        open_access(reply.stream, catalog.get_model("gpt-4.1"))
    keys.save(owner, "openai", "sk-0123456789")
    ApiKey.objects.update(master_key_id="γ")
    with pytest.raises(InvalidKey, match=r"^This key can’t be decrypted any more\."):
        open_access(reply.stream, catalog.get_model("gpt-4.1"))


# None is forgotten

LIST_COLLECTED = """
import importlib, pkgutil, sys
import django
django.setup()
import chat.presentation.stored_sentences
from streaming.sentences import STORED_SENTENCES
early = set(STORED_SENTENCES)
for name in ("accounts", "chat", "streaming"):
    for module in pkgutil.walk_packages(importlib.import_module(name).__path__, f"{name}."):
        importlib.import_module(module.name)
print(sorted(STORED_SENTENCES - early))
"""


def test_every_sentence_is_collected_once_the_apps_are_loaded() -> None:
    """Later ones would be unknown to a process that has translated something before."""
    done = subprocess.run(
        [sys.executable, "-c", LIST_COLLECTED], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


def test_every_collected_sentence_is_tried_here() -> None:
    shown = "\n".join([*SENTENCES, "No OpenAI API key."])
    for template in STORED_SENTENCES:
        words = max(template.replace("{", "}").split("}")[::2], key=len)
        assert words in shown, template


def test_the_engine_has_no_sentences_for_people_outside_of_gettext_noop() -> None:
    folders = ("lifecycle", "providers", "worker")
    files = [file for name in folders for file in (ROOT / "streaming" / name).rglob("*.py")]
    files.remove(ROOT / "streaming/providers/catalog/compatible.py")  # for administrators
    assert len(files) > 40
    found = {str(file): list(find_unmarked_in_engine(file.read_text())) for file in files}
    assert {file: words for file, words in found.items() if words} == {}


@pytest.mark.parametrize(
    "line",
    [
        'yield Note("Waiting for the tide")',
        'yield Note(f"{name} is at ebb")',
        'raise SourceError("ebb", "The tide is out.")',
        'default_message = "{provider} fell dry."',
        'NOTE = "Ebb and flow"',
        'NOTE = "Queued: the tide is low"',
    ],
)
def test_a_sentence_outside_of_gettext_noop_is_found(line: str) -> None:
    assert list(find_unmarked_in_engine(line))
