"""The settings of a reply. Each is defined here once: forms, pages, conversations and the arguments
of streams derive from it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from django import forms
from django.core.validators import MaxLengthValidator
from django.utils.functional import Promise
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts.connections import access as connections
from accounts.models import User
from chat import model_catalog
from chat.models import Conversation
from chat.replies.credentials import describe_missing_key
from chat.replies.errors import ReplyRejected
from streaming.providers import catalog
from streaming.providers.catalog import Model

MAX_SYSTEM_PROMPT_CHARS = 100_000
TEMPERATURE_OUT_OF_RANGE = _("Temperature must be a number from 0 to 2.")


def clean_text(text: str) -> str:
    """With `\\n` for line ends, and without NUL, which the database does not store."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")


class MultilineTextField(forms.CharField):
    """Text as it was typed, but with `\\n` for line ends. Browsers send `\\r\\n`."""

    widget = forms.Textarea

    def __init__(self, **options: Any) -> None:
        super().__init__(strip=False, **options)

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        """Without `maxlength`: a browser would cut a longer text silently."""
        return {}

    def to_python(self, value: Any) -> str:
        return clean_text(super().to_python(value) or "")


@dataclass(frozen=True, slots=True)
class SettingDefinition:
    """How forms ask for a setting, and how it depends on the model.

    `field` has the label, help text, bounds and errors; `summary` stands on the settings button,
    with the value in it. Without `is_supported` every model takes the setting.
    """

    field: forms.Field
    summary: str | Promise
    is_supported: Callable[[Model], bool] | None = None
    get_choices: Callable[[Model], tuple[str, ...]] | None = None
    get_max: Callable[[Model], int | None] | None = None

    def is_taken_by(self, model: Model | None) -> bool:
        return self.is_supported is None or (model is not None and self.is_supported(model))

    def accepts(self, value: object, model: Model | None) -> bool:
        if not self.is_taken_by(model):
            return False
        return model is None or self.get_choices is None or value in self.get_choices(model)


SETTINGS: Mapping[str, SettingDefinition] = {
    "temperature": SettingDefinition(
        forms.FloatField(
            required=False,
            label=_("Temperature"),
            help_text=_("Lower is more focused, higher more creative."),
            min_value=0,
            max_value=2,
            error_messages=dict.fromkeys(
                ("invalid", "min_value", "max_value"), TEMPERATURE_OUT_OF_RANGE
            ),
            widget=forms.NumberInput({"inputmode": "decimal"}),
        ),
        summary="%(value)s",
        is_supported=lambda model: model.takes_temperature,
    ),
    "max_tokens": SettingDefinition(
        forms.IntegerField(
            required=False,
            label=_("Max tokens"),
            help_text=_("Maximum reply length. Leave empty for the model’s default."),
            min_value=1,
            max_value=10_000_000,
            error_messages={
                "invalid": _("Max tokens must be a whole number."),
                "min_value": _("Max tokens must be at least 1."),
                "max_value": _("Max tokens is too large."),
            },
            widget=forms.NumberInput({"inputmode": "numeric"}),
        ),
        summary=_("%(value)s tokens"),
        is_supported=lambda model: model.takes_max_tokens,
        get_max=lambda model: model.max_output,
    ),
    "reasoning_effort": SettingDefinition(
        forms.CharField(
            required=False,
            label=_("Reasoning effort"),
            validators=[MaxLengthValidator(20, _("Choose a reasoning effort from the list."))],
            widget=forms.Select(choices=[("", _("Default"))]),
        ),
        summary=_("%(value)s effort"),
        is_supported=lambda model: bool(model.efforts),
        get_choices=lambda model: model.efforts,
    ),
    "system_prompt": SettingDefinition(
        MultilineTextField(
            required=False,
            label=_("System prompt"),
            max_length=MAX_SYSTEM_PROMPT_CHARS,
            error_messages={
                "max_length": _(
                    "The system prompt is too long: at most %(limit_value)d characters."
                ),
            },
            widget=forms.Textarea({"rows": 3, "placeholder": _("You are a patient teacher.")}),
        ),
        summary=pgettext_lazy("changed setting", "system prompt"),
    ),
}


def list_model_settings(model: Model) -> list[str]:
    """The names of the settings that this model takes, but not every model."""
    return [name for name, s in SETTINGS.items() if s.is_supported and s.is_supported(model)]


class SettingsForm(forms.Form):
    """A form with a field for each setting, after its own."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name, setting in SETTINGS.items():
            self.fields[name] = copy.deepcopy(setting.field)


@dataclass(frozen=True, slots=True)
class ReplySettings:
    """The model and the values of `SETTINGS`. None or empty leaves a setting to the provider.

    Without a `provider`, `model` is the value of a form or a bare name: see `find_model`.
    """

    model: str
    max_tokens: int | None = None
    temperature: float | None = None
    reasoning_effort: str = ""
    system_prompt: str = ""
    provider: str = ""

    @classmethod
    def from_form(cls, cleaned_data: Mapping[str, Any]) -> Self:
        return cls.from_json(cleaned_data)

    @classmethod
    def from_conversation(
        cls, conversation: Conversation, model: str = "", provider: str = ""
    ) -> Self:
        last = cls(**{field.name: getattr(conversation, field.name) for field in fields(cls)})
        if model:
            return replace(last, model=model, provider=provider)
        return replace(last, provider=conversation.model_provider)

    def apply_to(self, conversation: Conversation) -> None:
        """The conversation is not saved."""
        for name, value in asdict(self).items():
            setattr(conversation, name, value)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """From a stream's arguments, which hold other things, too. Another version of this code may
        have stored them with fewer settings or more."""
        return cls(**{f.name: stored[f.name] for f in fields(cls) if f.name in stored})

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def for_model(self, model: Model) -> Self:
        """The settings may come from another model that was picked before."""
        return self.from_json(
            {
                name: value
                for name, value in self.to_json().items()
                if name not in SETTINGS or SETTINGS[name].accepts(value, model)
            }
        )


# Limits of a user and a model


def require_model(user: User, model_id: str, provider_id: str = "") -> Model:
    """The model as this user's catalog describes it: see `find_model`. Raises ReplyRejected if it
    can't be used."""
    models = model_catalog.load_models(user)
    model = model_catalog.find_model(models, model_id, provider_id)
    if model is None:
        unknown = catalog.UnknownModel(model_id, provider_id)
        message = gettext(unknown.template).format(**unknown.values)
        raise ReplyRejected("unknown_model", message)
    if model.availability == "retired":
        message = model_catalog.describe_retirement(model, models)
        raise ReplyRejected("retired_model", message)
    provider = catalog.PROVIDERS[model.provider]
    if provider.needs_key and not connections.has_access(user, provider.id):
        raise ReplyRejected("no_key", describe_missing_key(user, provider.id))
    return model


def validate_settings(reply_settings: ReplySettings, model: Model) -> ReplySettings:
    """The model by its provider and name, and the settings that it takes. Raises ReplyRejected for
    one that is out of range."""
    chosen = replace(reply_settings, model=model.id, provider=model.provider)
    supported = chosen.for_model(model)
    if model.max_output and (supported.max_tokens or 0) > model.max_output:
        message = gettext("%(model)s writes at most %(count)s tokens.")
        values = {"model": model.label, "count": f"{model.max_output:,}"}
        raise ReplyRejected("max_tokens", message % values)
    return supported
