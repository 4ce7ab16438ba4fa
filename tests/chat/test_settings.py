"""The settings of a reply are the same in forms, on pages and in the database."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from django.test import Client

from accounts.api_keys import keys
from accounts.models import User
from chat.messages.forms import ComposerForm
from chat.models import Conversation
from chat.presentation.setting_rows import build_setting_rows, read_initial_values
from chat.replies import ReplySettings
from chat.replies.settings import SETTINGS, list_model_settings
from streaming.models import Stream
from streaming.providers.catalog import Model
from tests.chat.factories import read_html

ALL_SETTINGS = ReplySettings(
    "gpt-6.2-sol",
    max_tokens=500,
    temperature=0.7,
    reasoning_effort="low",
    system_prompt="Version 2.0",
)
CAPABLE_MODEL = Model(
    "kelp", "openai", "Kelp", takes_temperature=True, takes_max_tokens=True, efforts=("low",)
)


def test_each_setting_is_a_field_of_the_form_and_of_what_is_stored() -> None:
    names = {field.name for field in fields(ReplySettings)} - {"model", "provider"}
    assert names == set(SETTINGS)
    assert names < set(ComposerForm().fields)
    assert names < {field.name for field in Conversation._meta.fields}


def test_settings_survive_being_stored_and_read() -> None:
    assert ReplySettings.from_json({"message": "1", **ALL_SETTINGS.to_json()}) == ALL_SETTINGS


def test_settings_that_an_older_or_newer_version_stored_are_understood() -> None:
    stored = {"message": "1", "model": "demo", "max_tokens": 5, "top_k": 40}
    assert ReplySettings.from_json(stored) == ReplySettings("demo", max_tokens=5)


def test_a_conversation_remembers_the_settings_of_its_last_reply() -> None:
    conversation = Conversation()
    ALL_SETTINGS.apply_to(conversation)
    assert ReplySettings.from_conversation(conversation) == ALL_SETTINGS
    assert ReplySettings.from_conversation(conversation, "demo") == replace(
        ALL_SETTINGS, model="demo"
    )


def test_a_conversation_shows_its_settings_as_they_were_typed() -> None:
    conversation = Conversation()
    replace(ALL_SETTINGS, temperature=1.0).apply_to(conversation)
    assert read_initial_values(conversation) == {
        "temperature": "1",
        "max_tokens": "500",
        "reasoning_effort": "low",
        "system_prompt": "Version 2.0",
    }


@pytest.mark.parametrize(
    ("lacks", "dropped"),
    [
        ({"takes_temperature": False}, {"temperature": None}),
        ({"takes_max_tokens": False}, {"max_tokens": None}),
        ({"efforts": ()}, {"reasoning_effort": ""}),
        ({"efforts": ("high",)}, {"reasoning_effort": ""}),
        ({}, {}),
    ],
)
def test_a_model_is_given_only_the_settings_that_it_takes(
    lacks: dict[str, object], dropped: dict[str, object]
) -> None:
    model = replace(CAPABLE_MODEL, **lacks)  # type: ignore[arg-type]
    assert ALL_SETTINGS.for_model(model) == replace(ALL_SETTINGS, **dropped)  # type: ignore[arg-type]


def test_a_page_hides_the_settings_that_the_model_does_not_take() -> None:
    model = replace(CAPABLE_MODEL, takes_temperature=False, efforts=())
    assert list_model_settings(model) == ["max_tokens"]
    hidden = [row.field.name for row in build_setting_rows({}, model) if row.is_hidden]
    assert hidden == ["temperature", "reasoning_effort"]


def test_for_an_unknown_model_a_page_shows_what_every_model_takes() -> None:
    rows = build_setting_rows(ALL_SETTINGS.to_json(), None)
    assert [row.field.name for row in rows if not row.is_hidden] == ["system_prompt"]
    assert [row.summary_text for row in rows if row.summary_text] == ["system prompt"]


def test_a_typed_value_is_shown_again_with_help_and_bounds() -> None:
    rows = {
        row.field.name: row for row in build_setting_rows({"temperature": "hot"}, CAPABLE_MODEL)
    }
    assert str(rows["temperature"].field) == (
        '<input type="number" name="temperature" value="hot" inputmode="decimal" min="0" max="2"'
        ' step="any" aria-describedby="temperature_helptext" id="temperature">'
    )
    limited = build_setting_rows({}, replace(CAPABLE_MODEL, max_output=900))[1]
    assert 'max="900"' in str(limited.field)
    assert "maxlength" not in str(rows["system_prompt"].field), "browsers would cut it silently"


@pytest.mark.django_db
def test_every_setting_of_the_form_reaches_the_stream_and_comes_back(
    as_owner: Client, owner: User
) -> None:
    keys.save(owner, "openai", "sk-harbour-0123456789-ab12")
    typed = {"max_tokens": "500", "reasoning_effort": "low", "system_prompt": "Be brief."}
    form = {"text": "Why?", "model": "gpt-6.2-sol", "request_id": "0" * 31 + "1", **typed}
    as_owner.post("/c/", form)
    stored = Stream.objects.get().arguments
    assert {name: str(stored[name]) for name in typed} == typed
    shown = read_html(as_owner.get(f"/c/{Conversation.objects.get().pk}/"))
    assert shown.count(" data-depends-on-model") == 3
    assert 'value="500"' in shown
    assert ">\nBe brief.</textarea>" in shown
    assert '<option value="low" selected>Low</option>' in shown
