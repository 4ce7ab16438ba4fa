"""The composer: the models it offers, the settings, and the text that is already in it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.html import escape
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.api_keys import keys
from accounts.models import KeyStatus, User
from chat import model_catalog
from chat.models import Conversation
from chat.presentation.setting_rows import SettingRow, build_setting_rows, read_initial_values
from chat.replies import PagePosition
from chat.replies.credentials import describe_missing_key
from chat.replies.settings import SETTINGS, list_model_settings
from streaming.providers.catalog import DEMO_PROVIDER, Model, Provider, pick_default_model

RESTORED_FIELDS = ("text", "model", *SETTINGS)
"""Fields of a rejected or unsent message that the composer shows again. The request id is new, as
nothing was created with the old one."""

MAX_RECENT_MODELS = 4
"""Models in the group “Recent”."""
MAX_RECENT_CONVERSATIONS = 50
"""The newest conversations, in which recent models are sought."""
MAX_CACHED_OPTIONS = 50
"""Model lists cached as HTML, one for each provider: 20 KB each, 250 KB with 500 models."""


@dataclass(frozen=True, slots=True)
class ModelGroup:
    """The models of a provider. They can be picked if no key is needed or there is one, even a key
    that the provider has rejected."""

    provider: Provider
    is_usable: bool
    models: tuple[Model, ...]
    is_key_invalid: bool = False

    @property
    def is_working(self) -> bool:
        return self.is_usable and bool(self.models) and not self.is_key_invalid

    @property
    def is_demo(self) -> bool:
        return self.provider.id == DEMO_PROVIDER


@dataclass(frozen=True, slots=True)
class Composer:
    """All that the form shows. `running_stream` is the one that Stop ends."""

    action: str
    request_id: str
    groups: tuple[ModelGroup, ...]
    model: str
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
            SafeString(_render_options(group, language).replace(value, f"{value} selected"))
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


@lru_cache(maxsize=MAX_CACHED_OPTIONS)
def _render_options(group: ModelGroup, language: str) -> SafeString:
    """Cached, because rendering the options took a third of a page's time."""
    options = [(model, " ".join(list_model_settings(model))) for model in group.models]
    with translation.override(language):
        return render_to_string(
            "chat/composer/_model_options.html", {"group": group, "options": options}
        )


def build_composer(
    user: User,
    conversation: Conversation | None,
    initial: Mapping[str, str],
    running_stream: str = "",
    position: PagePosition | None = None,
) -> Composer:
    """The form for the next message. `initial` has the text and settings typed before, by field."""
    groups = _build_groups(user)
    used = _load_used_models(user)
    typed = {name: value for name, value in initial.items() if name in RESTORED_FIELDS}
    default_model = _select_default_model(user, conversation, groups, used)
    model = typed.get("model") or default_model
    selected = next((m for group in groups for m in group.models if m.id == model), None)
    return Composer(
        action=reverse("send", args=[conversation.pk]) if conversation else reverse("start"),
        request_id=str(uuid.uuid4()),
        groups=groups,
        model=model,
        default_model=default_model,
        is_model_unavailable=selected is None,
        text=typed.get("text", ""),
        settings=build_setting_rows(read_initial_values(conversation) | typed, selected),
        running_stream=running_stream,
        hint=_build_hint(user, model, groups),
        parent_id=str(position.parent_id) if position else "",
        known_leaf_id=str(position.known_leaf_id) if position else "",
        recent_models=" ".join(_select_recent_models(groups, used)),
    )


def _build_groups(user: User) -> tuple[ModelGroup, ...]:
    """In the catalog's order, but the demo is last once another provider works."""
    key_status = keys.key_status_by_provider(user)
    groups = []
    for provider, models in model_catalog.group_by_provider(user).items():
        is_usable = not provider.needs_key or provider.id in key_status
        is_key_invalid = key_status.get(provider.id) == KeyStatus.INVALID
        groups.append(ModelGroup(provider, is_usable, models, is_key_invalid))
    has_real_group = bool(_select_real_groups(groups))
    return tuple(sorted(groups, key=lambda group: has_real_group and group.is_demo))


def _select_real_groups(groups: Iterable[ModelGroup]) -> list[ModelGroup]:
    return [group for group in groups if group.is_working and not group.is_demo]


def _select_default_model(
    user: User,
    conversation: Conversation | None,
    groups: tuple[ModelGroup, ...],
    used_models: list[str],
) -> str:
    """The conversation's own model. For a new one: the last used that still works, otherwise the
    best of the first provider that works. The demo only if nothing else works."""
    if conversation and conversation.model:
        return conversation.model
    real = _select_real_groups(groups)
    usable = [group for group in groups if group.is_usable and group.models]
    candidates = real or [group for group in usable if group.is_working] or usable
    model_ids = {choice.id for group in candidates for choice in group.models}
    if last_used := next((model for model in used_models if model in model_ids), ""):
        return last_used
    listed = keys.listed_model_ids(user) if real else set[str]()
    best = pick_default_model(candidates[0].models, listed) if candidates else None
    return best.id if best else ""


def _load_used_models(user: User) -> list[str]:
    """The models of the newest conversations, each once."""
    newest = Conversation.objects.owned_by(user).order_by("-updated_at")
    used = newest.exclude(model="").values_list("model", flat=True)[:MAX_RECENT_CONVERSATIONS]
    return list(dict.fromkeys(used))


def _select_recent_models(groups: tuple[ModelGroup, ...], used_models: list[str]) -> list[str]:
    """The last used, without the demo once another provider works."""
    demo = {choice.id for group in groups if group.is_demo for choice in group.models}
    hidden = demo if _select_real_groups(groups) else set[str]()
    return [model for model in used_models if model not in hidden][:MAX_RECENT_MODELS]


def _build_hint(user: User, model: str, groups: tuple[ModelGroup, ...]) -> str:
    """Why the selected model cannot answer; empty if it can."""
    for group in groups:
        for choice in group.models:
            if choice.id == model:
                return "" if group.is_usable else describe_missing_key(choice.provider)
    models = model_catalog.load_models(user)
    if (retired := models.get(model)) and retired.availability == "retired":
        return model_catalog.describe_retirement(retired, models.get(retired.successor))
    label = model_catalog.get_label(model)
    return _("“%(model)s” is no longer available. Choose another model.") % {"model": label}
