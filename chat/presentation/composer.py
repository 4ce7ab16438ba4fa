"""The composer: the models it offers, the settings, and the text that is already in it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from django.urls import reverse
from django.utils.html import escape
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.models import User
from chat import model_catalog
from chat.models import Conversation
from chat.presentation.model_groups import (
    ModelGroup,
    build_groups,
    list_recent_values,
    load_used_models,
    map_models,
    render_options,
    select_new_chat_model,
)
from chat.presentation.setting_rows import SettingRow, build_setting_rows, read_initial_values
from chat.replies import PagePosition
from chat.replies.credentials import describe_missing_key
from chat.replies.settings import SETTINGS
from streaming.providers import catalog
from streaming.providers.catalog import Model
from streaming.providers.catalog.naming import ModelKey, build_form_value

RESTORED_FIELDS = ("text", "model", *SETTINGS)
"""Fields of a rejected or unsent message that the composer shows again. The request id is new, as
nothing was created with the old one."""


@dataclass(frozen=True, slots=True)
class Composer:
    """All that the form shows. `running_stream` is the one that Stop ends. `model` and
    `default_model` are form values, `model_name` is for people."""

    action: str
    request_id: str
    groups: tuple[ModelGroup, ...]
    model: str
    model_name: str
    default_model: str
    is_model_unavailable: bool
    text: str
    settings: tuple[SettingRow, ...]
    running_stream: str
    hint: str
    parent_id: str
    known_leaf_id: str
    recent_models: str

    @property
    def options_html(self) -> list[SafeString]:
        """The options of each provider, with the current model selected."""
        value, language = f'<option value="{escape(self.model)}"', get_language()
        return [
            SafeString(  # Django has escaped the options # nosec B703
                render_options(group, language).replace(value, f"{value} selected")
            )
            for group in self.groups
        ]

    @property
    def has_real_model(self) -> bool:
        """Whether a working model is offered besides the demo."""
        return any(group.is_working and not group.is_demo for group in self.groups)

    @property
    def stop_action(self) -> str:
        return reverse("stop", args=[self.running_stream]) if self.running_stream else ""

    @property
    def settings_summary(self) -> str:
        """The changed settings, short enough for a button."""
        return " · ".join(row.summary_text for row in self.settings if row.summary_text)


def build_composer(
    user: User,
    conversation: Conversation | None,
    initial: Mapping[str, str],
    running_stream: str = "",
    position: PagePosition | None = None,
) -> Composer:
    """The form for the next message. `initial` has the text and settings typed before, by field."""
    models = model_catalog.load_models(user)
    groups = build_groups(user, models)
    used = load_used_models(user, groups)
    typed = {name: value for name, value in initial.items() if name in RESTORED_FIELDS}
    default = _select_default_model(user, conversation, groups, used)
    chosen = ModelKey("", typed["model"]) if typed.get("model") else default
    offered = map_models(groups)
    usual = model_catalog.find_model(offered, default.name, default.provider)
    selected = model_catalog.find_model(offered, chosen.name, chosen.provider)
    if selected is None and not chosen.provider:
        chosen = catalog.parse_form_value(chosen.name)
    return Composer(
        action=reverse("send", args=[conversation.pk]) if conversation else reverse("start"),
        request_id=str(uuid.uuid4()),
        groups=groups,
        model=selected.form_value if selected else build_form_value(*chosen),
        model_name=model_catalog.get_full_name(chosen.name, chosen.provider),
        default_model=usual.form_value if usual else build_form_value(*default),
        is_model_unavailable=selected is None,
        text=typed.get("text", ""),
        settings=build_setting_rows(read_initial_values(conversation) | typed, selected),
        running_stream=running_stream,
        hint=_build_hint(user, models, chosen, selected, groups),
        parent_id=str(position.parent_id) if position else "",
        known_leaf_id=str(position.known_leaf_id) if position else "",
        recent_models=list_recent_values(groups, used),
    )


def _select_default_model(
    user: User,
    conversation: Conversation | None,
    groups: tuple[ModelGroup, ...],
    used_models: list[Model],
) -> ModelKey:
    """The conversation's own model. An empty one if there is none to choose."""
    if conversation and conversation.model:
        return ModelKey(conversation.model_provider, conversation.model)
    best = select_new_chat_model(user, groups, used_models)
    return best.key if best else ModelKey("", "")


def _build_hint(
    user: User,
    models: Mapping[ModelKey, Model],
    chosen: ModelKey,
    selected: Model | None,
    groups: tuple[ModelGroup, ...],
) -> str:
    """Why the chosen model cannot answer; empty if it can."""
    if selected:
        usable = {group.provider.id for group in groups if group.is_usable}
        is_usable = selected.provider in usable
        return "" if is_usable else describe_missing_key(user, selected.provider)
    known = model_catalog.find_model(models, chosen.name, chosen.provider)
    if known and known.availability == "retired":
        return model_catalog.describe_retirement(known, models)
    label = model_catalog.get_label(chosen.name, chosen.provider)
    return _("“%(model)s” is no longer available. Choose another model.") % {"model": label}
