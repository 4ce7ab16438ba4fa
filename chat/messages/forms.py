"""The forms of the composer and of the buttons under a message."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy

from chat.replies import PagePosition, ReplyRejected, ReplySettings
from chat.replies.errors import EMPTY_MESSAGE, PAGE_OUT_OF_DATE
from chat.replies.settings import MultilineTextField, SettingsForm
from streaming.providers.catalog.naming import MAX_FORM_VALUE_CHARS

MAX_MESSAGE_CHARS = 400_000


TEXT_ERROR_MESSAGES = {
    "required": EMPTY_MESSAGE,
    "max_length": gettext_lazy(
        "This message is too long: %(show_value)d characters, and at most "
        "%(limit_value)d can be sent."
    ),
}


class RegenerateForm(forms.Form):
    """Without a model, the new version is written by the same model."""

    request_id = forms.UUIDField(
        error_messages={"required": PAGE_OUT_OF_DATE, "invalid": PAGE_OUT_OF_DATE}
    )
    model = forms.CharField(required=False, max_length=MAX_FORM_VALUE_CHARS)

    def require_valid(self) -> None:
        """Raises ReplyRejected with the first error."""
        if not self.is_valid():
            raise ReplyRejected("form", str(next(iter(self.errors.values()))[0]))


class EditForm(RegenerateForm):
    text = MultilineTextField(max_length=MAX_MESSAGE_CHARS, error_messages=TEXT_ERROR_MESSAGES)


class ComposerForm(EditForm, SettingsForm):
    """Every error is a whole sentence, because a page shows only the first."""

    field_order = ("text", "model")

    model = forms.CharField(
        max_length=MAX_FORM_VALUE_CHARS,
        error_messages={
            "required": gettext_lazy("Choose a model first."),
            "max_length": gettext_lazy("That model is not available. Choose one from the list."),
        },
    )
    parent = forms.UUIDField(required=False, error_messages={"invalid": PAGE_OUT_OF_DATE})
    seen = forms.UUIDField(required=False, error_messages={"invalid": PAGE_OUT_OF_DATE})

    def clean_text(self) -> str:
        text: str = self.cleaned_data["text"]
        if not text.strip():
            raise forms.ValidationError(EMPTY_MESSAGE)
        return text

    @property
    def page_position(self) -> PagePosition | None:
        """Call it for a valid form. None if the client does not say which message its page ends
        with."""
        parent, seen = self.cleaned_data["parent"], self.cleaned_data["seen"]
        return PagePosition(parent, seen) if parent and seen else None

    @property
    def reply_settings(self) -> ReplySettings:
        return ReplySettings.from_form(self.cleaned_data)
