"""The forms of the composer and of the buttons under a message."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chat.replies import PagePosition, ReplyRejected, ReplySettings

MAX_MESSAGE_CHARS = 400_000
MAX_SYSTEM_PROMPT_CHARS = 100_000


class MultilineTextField(forms.CharField):
    """Text as it was typed, but with `\\n` for line ends. Browsers send `\\r\\n`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(strip=False, widget=forms.Textarea, **options)

    def to_python(self, value: Any) -> str:
        text = super().to_python(value) or ""
        return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")


TEXT_ERROR_MESSAGES = {
    "required": gettext_lazy("Write a message first."),
    "max_length": gettext_lazy(
        "This message is too long: %(show_value)d characters, and at most "
        "%(limit_value)d can be sent."
    ),
}
TEMPERATURE_OUT_OF_RANGE = gettext_lazy("Temperature must be a number from 0 to 2.")
PAGE_OUT_OF_DATE = gettext_lazy("This page is out of date. Reload it, and send the message again.")


class RegenerateForm(forms.Form):
    """Another version of a reply. Without a model it is the same model's."""

    request_id = forms.UUIDField(
        error_messages={"required": PAGE_OUT_OF_DATE, "invalid": PAGE_OUT_OF_DATE}
    )
    model = forms.CharField(required=False, max_length=100)

    def require_valid(self) -> None:
        """Raises ReplyRejected with the first error."""
        if not self.is_valid():
            raise ReplyRejected("form", str(next(iter(self.errors.values()))[0]))


class EditForm(RegenerateForm):
    text = MultilineTextField(max_length=MAX_MESSAGE_CHARS, error_messages=TEXT_ERROR_MESSAGES)


class ComposerForm(EditForm):
    """Every error is a whole sentence, because a page shows only the first."""

    field_order = ("text", "model")

    model = forms.CharField(
        max_length=100,
        error_messages={
            "required": gettext_lazy("Choose a model first."),
            "max_length": gettext_lazy("That model is not available. Choose one from the list."),
        },
    )
    parent = forms.UUIDField(required=False, error_messages={"invalid": PAGE_OUT_OF_DATE})
    seen = forms.UUIDField(required=False, error_messages={"invalid": PAGE_OUT_OF_DATE})
    max_tokens = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=10_000_000,
        error_messages={
            "invalid": gettext_lazy("Max tokens must be a whole number."),
            "min_value": gettext_lazy("Max tokens must be at least 1."),
            "max_value": gettext_lazy("Max tokens is too large."),
        },
    )
    temperature = forms.FloatField(
        required=False,
        min_value=0,
        max_value=2,
        error_messages={
            "invalid": TEMPERATURE_OUT_OF_RANGE,
            "min_value": TEMPERATURE_OUT_OF_RANGE,
            "max_value": TEMPERATURE_OUT_OF_RANGE,
        },
    )
    reasoning_effort = forms.CharField(
        required=False,
        max_length=20,
        error_messages={"max_length": gettext_lazy("Choose a reasoning effort from the list.")},
    )
    system_prompt = MultilineTextField(
        required=False,
        max_length=MAX_SYSTEM_PROMPT_CHARS,
        error_messages={
            "max_length": gettext_lazy(
                "The system prompt is too long: at most %(limit_value)d characters."
            ),
        },
    )

    def clean_text(self) -> str:
        text: str = self.cleaned_data["text"]
        if not text.strip():
            raise forms.ValidationError(_("Write a message first."))
        return text

    @property
    def page_position(self) -> PagePosition | None:
        """Of a valid form; None from a client that does not say what it shows."""
        parent, seen = self.cleaned_data["parent"], self.cleaned_data["seen"]
        return PagePosition(parent, seen) if parent and seen else None

    @property
    def reply_settings(self) -> ReplySettings:
        return ReplySettings(
            model=self.cleaned_data["model"],
            max_tokens=self.cleaned_data["max_tokens"],
            temperature=self.cleaned_data["temperature"],
            system_prompt=self.cleaned_data["system_prompt"],
            reasoning_effort=self.cleaned_data["reasoning_effort"],
        )
