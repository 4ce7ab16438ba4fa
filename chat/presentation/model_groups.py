"""The models that the composer offers, by provider, and which of them it selects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from urllib.parse import quote

from django.template.loader import render_to_string
from django.utils import translation
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy, ngettext

from accounts.api_keys import keys
from accounts.connections.access import load_connections_and_lost
from accounts.models import KeyStatus, ListStatus, User
from accounts.sealing import SharedSealBroken
from accounts.server_lists import ListState, load_list_states
from chat import model_catalog
from chat.models import Conversation
from chat.replies.settings import list_model_settings
from streaming.providers import catalog
from streaming.providers.catalog import DEMO_PROVIDER, Model, Provider, pick_default_model
from streaming.providers.catalog.naming import ModelKey

EMPTY_GROUP_NOTES: dict[str, Promise] = {
    KeyStatus.UNCHECKED: ListStatus.UNKNOWN.label,
    KeyStatus.INVALID: gettext_lazy("It rejected your key."),
    KeyStatus.NO_PERMISSION: gettext_lazy("Your key may not list models."),
    KeyStatus.NO_CREDIT: gettext_lazy("Your account there is out of credit."),
    KeyStatus.UNREACHABLE: ListStatus.UNREACHABLE.label,
    KeyStatus.UNREADABLE: ListStatus.UNREADABLE.label,
}
"""Why a provider with a key has no models, by the result of the key's check."""
LOST_KEY_NOTE = gettext_lazy("Your key can’t be decrypted any more. Please enter it again.")
OLD_LIST_STATUSES = (ListStatus.UNREACHABLE, ListStatus.UNREADABLE)
"""Of servers whose models are those of an earlier list, or of the configuration."""
MAX_RECENT_MODELS = 4
"""Models in the group “Recent”."""
MAX_RECENT_CONVERSATIONS = 50
"""The newest conversations, in which recent models are sought."""
MAX_CACHED_OPTIONS = 50
"""Model lists cached as HTML, one for each provider: 20 KB each, 250 KB with 500 models."""


@dataclass(frozen=True, slots=True)
class ModelGroup:
    """The models of a provider. They can be picked if no key is needed or there is one, even a key
    that the provider has rejected. `note` says why there are no models, that the server is away, or
    that some are left out. `is_shared` groups use a key of the installation. `shared_labels` are
    those that a model of another provider has, too."""

    provider: Provider
    is_usable: bool
    models: tuple[Model, ...]
    is_key_invalid: bool = False
    note: str = ""
    is_shared: bool = False
    shared_labels: frozenset[str] = frozenset()

    @property
    def is_working(self) -> bool:
        return self.is_usable and bool(self.models) and not self.is_key_invalid

    @property
    def label(self) -> str:
        if not self.is_shared:
            return self.provider.name
        return gettext("%(provider)s (from this installation)") % {"provider": self.provider.name}

    @property
    def is_demo(self) -> bool:
        return self.provider.id == DEMO_PROVIDER


@dataclass(frozen=True, slots=True)
class ModelOption:
    """An option of the list. `message_name` is the name over replies; `settings` are those that the
    model takes."""

    model: Model
    label: str
    message_name: str
    settings: str


def build_groups(user: User, models: Mapping[ModelKey, Model]) -> tuple[ModelGroup, ...]:
    """The user's models in the order of `models`, but the demo is last once another provider
    works."""
    own_status = keys.key_status_by_provider(user)
    connections, lost_connections = load_connections_and_lost(user)
    shared_status = {id: c.check_result for id, c in connections.items() if id not in own_status}
    key_status = own_status | shared_status
    lost = keys.providers_with_lost_key(user)
    list_states = load_list_states()
    groups = []
    for provider, offered in catalog.group_by_provider(models.values()).items():
        if provider.is_connection and provider.id not in connections:
            continue
        is_usable = not provider.needs_key or provider.id in key_status
        is_key_invalid = key_status.get(provider.id) == KeyStatus.INVALID
        note = _describe_list(provider, offered, key_status, list_states)
        if provider.id in lost and not is_usable:
            note = str(LOST_KEY_NOTE)
        elif provider.id in lost_connections and not is_usable:
            note = gettext(SharedSealBroken.user_message)
        is_shared = provider.id in shared_status
        groups.append(ModelGroup(provider, is_usable, offered, is_key_invalid, note, is_shared))
    has_real_group = bool(select_real_groups(groups))
    groups.sort(key=lambda group: has_real_group and group.is_demo)
    return tuple(_add_shared_labels(groups))


def _describe_list(
    provider: Provider,
    models: tuple[Model, ...],
    key_status: Mapping[str, str],
    list_states: Mapping[str, ListState],
) -> str:
    """Why a provider has no models, why its list may be old, or how many are left out; empty if all
    is well."""
    if state := list_states.get(provider.id):
        return _describe_state(state, has_models=bool(models))
    if models or not provider.needs_key or provider.id not in key_status:
        return ""
    return str(EMPTY_GROUP_NOTES.get(key_status[provider.id], ListStatus.LISTED.label))


def _describe_state(state: ListState, *, has_models: bool) -> str:
    is_told = not has_models or state.status in OLD_LIST_STATUSES
    sentences = [str(state.status.label)] if is_told else []
    if state.left_out:
        sentence = ngettext(
            "%(count)d more is listed and not offered.",
            "%(count)d more are listed and not offered.",
            state.left_out,
        )
        sentences.append(sentence % {"count": state.left_out})
    return " ".join(sentences)


def _add_shared_labels(groups: list[ModelGroup]) -> list[ModelGroup]:
    counts = Counter(label for group in groups for label in {m.label for m in group.models})
    shared = frozenset(label for label, count in counts.items() if count > 1)
    return [
        replace(group, shared_labels=shared & {model.label for model in group.models})
        for group in groups
    ]


@lru_cache(maxsize=MAX_CACHED_OPTIONS)
def render_options(group: ModelGroup, language: str) -> SafeString:
    """Cached, because rendering the options took a third of a page's time."""
    options = [_build_option(group, model) for model in group.models]
    with translation.override(language):
        return render_to_string(
            "chat/composer/_model_options.html", {"group": group, "options": options}
        )


def _build_option(group: ModelGroup, model: Model) -> ModelOption:
    label = model.label
    if label in group.shared_labels:
        label = f"{label} · {group.provider.name}"
    name = model_catalog.get_full_name(model.id, model.provider)
    return ModelOption(model, label, name, " ".join(list_model_settings(model)))


def select_real_groups(groups: Iterable[ModelGroup]) -> list[ModelGroup]:
    return [group for group in groups if group.is_working and not group.is_demo]


def load_used_models(user: User, groups: tuple[ModelGroup, ...]) -> list[Model]:
    """The models of the newest conversations that are still offered, each once."""
    newest = Conversation.objects.owned_by(user).order_by("-updated_at").exclude(model="")
    rows = newest.values_list("model", "provider")[:MAX_RECENT_CONVERSATIONS]
    offered = map_models(groups)
    found = (model_catalog.find_model(offered, *row) for row in dict.fromkeys(rows))
    return list(dict.fromkeys(model for model in found if model))


def map_models(groups: Iterable[ModelGroup]) -> dict[ModelKey, Model]:
    return {model.key: model for group in groups for model in group.models}


def select_new_chat_model(
    user: User, groups: tuple[ModelGroup, ...], used_models: list[Model]
) -> Model | None:
    """The last used that still works, otherwise the best of the first provider that works. The demo
    only if nothing else works."""
    real = select_real_groups(groups)
    usable = [group for group in groups if group.is_usable and group.models]
    candidates = real or [group for group in usable if group.is_working] or usable
    working = map_models(candidates)
    if last_used := next((model for model in used_models if model.key in working), None):
        return last_used
    if not candidates:
        return None
    first = candidates[0]
    listed = keys.listed_model_ids(user, first.provider.id) if real else set[str]()
    return pick_default_model(first.models, listed)


def load_default_model(user: User) -> Model | None:
    """The model of a new chat whose author names none; None if there is none to choose."""
    groups = build_groups(user, model_catalog.load_models(user))
    return select_new_chat_model(user, groups, load_used_models(user, groups))


def list_recent_values(groups: tuple[ModelGroup, ...], used_models: list[Model]) -> str:
    """The form values of the last used models, quoted as in URLs and separated by spaces; without
    the demo once another provider works."""
    has_real_group = bool(select_real_groups(groups))
    shown = [m for m in used_models if not (has_real_group and m.provider == DEMO_PROVIDER)]
    return " ".join(quote(model.form_value, safe="/:") for model in shown[:MAX_RECENT_MODELS])
