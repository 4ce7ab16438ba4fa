"""The settings of a reply as the composer shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.forms import BoundField
from django.utils.text import capfirst

from chat.models import Conversation
from chat.replies.settings import SETTINGS, SettingDefinition, SettingsForm
from streaming.providers.catalog import Model


@dataclass(frozen=True, slots=True)
class SettingRow:
    """A field with its value as it was typed; hidden if the selected model does not take it."""

    setting: SettingDefinition
    field: BoundField
    is_hidden: bool
    summary_text: str

    @property
    def depends_on_model(self) -> bool:
        return self.setting.is_supported is not None


def build_setting_rows(values: Mapping[str, str], model: Model | None) -> tuple[SettingRow, ...]:
    """`values` are texts by the names of settings; others in it are ignored."""
    form = SettingsForm(initial=values, auto_id="%s")
    return tuple(_build_row(setting, form[name], model) for name, setting in SETTINGS.items())


def _build_row(setting: SettingDefinition, field: BoundField, model: Model | None) -> SettingRow:
    if model is not None:
        _adapt_to_model(setting, field, model)
    value = field.value()
    is_accepted = setting.accepts(value, model)
    summary = str(setting.summary) % {"value": value} if value and is_accepted else ""
    return SettingRow(setting, field, not setting.is_taken_by(model), summary)


def _adapt_to_model(setting: SettingDefinition, field: BoundField, model: Model) -> None:
    widget = field.field.widget
    if setting.get_choices:
        choices = [(name, capfirst(name)) for name in setting.get_choices(model)]
        widget.choices = [*widget.choices, *choices]
    if setting.get_max and (maximum := setting.get_max(model)):
        widget.attrs["max"] = maximum


def read_initial_values(conversation: Conversation | None) -> dict[str, str]:
    if conversation is None:
        return {}
    return {name: _format_value(getattr(conversation, name)) for name in SETTINGS}


def _format_value(value: object) -> str:
    if isinstance(value, float):
        return str(value).removesuffix(".0")
    return "" if value is None else str(value)
