"""What the composer offers: the models, the settings, and the text that is already in it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import escape
from django.utils.safestring import SafeString

from accounts import keys
from accounts.models import KeyStatus, User
from chat import model_catalog
from chat.models import Conversation
from chat.replies import PagePosition, describe_retirement
from chat.replies.credentials import describe_missing_key
from streaming.providers.catalog import DEMO_PROVIDER, Model, Provider, pick_default_model

RESTORED_FIELDS = (
    "text",
    "model",
    "max_tokens",
    "temperature",
    "reasoning_effort",
    "system_prompt",
)
"""Fields of an unsent message to restore. Not its request id: no reply was created."""

MAX_RECENT_MODELS = 4
"""How many models are offered first."""
MAX_RECENT_CONVERSATIONS = 50
MAX_CACHED_OPTIONS = 50
"""Lists of a provider's models that are kept as HTML: 20 KB each, 250 with 500 models."""


@dataclass(frozen=True, slots=True)
class ModelGroup:
    """The models of a provider. Without a key they are shown, and can't be picked; with a key that
    the provider has `refused` they can."""

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
    """Everything the form shows."""

    action: str
    request_id: str
    groups: tuple[ModelGroup, ...]
    model: str
    default_model: str
    is_model_unavailable: bool
    text: str
    max_tokens: str
    temperature: str
    reasoning_effort: str
    system_prompt: str
    running_stream: str
    hint: str
    parent_id: str
    known_leaf_id: str
    recent_models: str

    @property
    def options_html(self) -> list[SafeString]:
        """What the model can be picked from, of each provider."""
        value = f'<option value="{escape(self.model)}"'
        return [
            SafeString(_render_options(group).replace(value, f"{value} selected"))
            for group in self.groups
        ]

    @property
    def has_real_model(self) -> bool:
        """Whether there is a model to be had that is not for trying only."""
        return any(group.is_working and not group.is_demo for group in self.groups)

    @property
    def stop_action(self) -> str:
        return reverse("stop", args=[self.running_stream]) if self.running_stream else ""

    @property
    def selected_model(self) -> Model | None:
        return next((m for g in self.groups for m in g.models if m.id == self.model), None)

    @property
    def takes_temperature(self) -> bool:
        return self.selected_model is not None and self.selected_model.takes_temperature

    @property
    def efforts(self) -> tuple[str, ...]:
        """What the model takes as reasoning effort; without any the field is not for it."""
        return self.selected_model.efforts if self.selected_model else ()

    @property
    def max_output(self) -> int | None:
        return self.selected_model.max_output if self.selected_model else None

    @property
    def settings_summary(self) -> str:
        """The settings that were changed, in a line short enough for a button."""
        parts = [
            self.temperature if self.takes_temperature else "",
            f"{self.max_tokens} tokens" if self.max_tokens else "",
            f"{self.reasoning_effort} effort" if self.reasoning_effort in self.efforts else "",
            "system prompt" if self.system_prompt else "",
        ]
        return " · ".join(part for part in parts if part)


@lru_cache(maxsize=MAX_CACHED_OPTIONS)
def _render_options(group: ModelGroup) -> SafeString:
    """The HTML of a provider's models. To make it anew for each page took a third of the page's
    time."""
    return render_to_string("chat/composer/_model_options.html", {"group": group})


def build_composer(
    user: User,
    conversation: Conversation | None,
    initial: Mapping[str, str],
    running_stream: str = "",
    position: PagePosition | None = None,
) -> Composer:
    """The form for the next message. `kept` has what was typed before, by field; `running` is
    the stream that Stop would stop, and `standing` is where the page stands."""
    groups = _build_groups(user)
    used = _load_used_models(user)
    settings = _get_initial_settings(conversation) | {
        name: value for name, value in initial.items() if name in RESTORED_FIELDS
    }
    usual = _select_default_model(user, conversation, groups, used)
    model = settings.get("model") or usual
    return Composer(
        action=reverse("send", args=[conversation.pk]) if conversation else reverse("start"),
        request_id=str(uuid.uuid4()),
        groups=groups,
        model=model,
        default_model=usual,
        is_model_unavailable=not any(
            model == choice.id for group in groups for choice in group.models
        ),
        text=settings.get("text", ""),
        max_tokens=settings["max_tokens"],
        temperature=settings["temperature"],
        reasoning_effort=settings["reasoning_effort"],
        system_prompt=settings["system_prompt"],
        running_stream=running_stream,
        hint=_build_hint(user, model, groups),
        parent_id=str(position.parent_id) if position else "",
        known_leaf_id=str(position.known_leaf_id) if position else "",
        recent_models=" ".join(_select_recent_models(groups, used)),
    )


def _build_groups(user: User) -> tuple[ModelGroup, ...]:
    """In the catalog's order; the demo goes last once there is something better."""
    checked = keys.key_status_by_provider(user)
    groups = []
    for provider, models in model_catalog.group_by_provider(user).items():
        usable = not provider.needs_key or provider.id in checked
        refused = checked.get(provider.id) == KeyStatus.INVALID
        groups.append(ModelGroup(provider, usable, models, refused))
    better = _select_real_groups(groups)
    return tuple(sorted(groups, key=lambda group: bool(better) and group.is_demo))


def _select_real_groups(groups: Iterable[ModelGroup]) -> list[ModelGroup]:
    """Those that work and are not for trying only."""
    return [group for group in groups if group.is_working and not group.is_demo]


def _get_initial_settings(conversation: Conversation | None) -> dict[str, str]:
    """As its last message had them."""
    if conversation is None:
        return dict.fromkeys(RESTORED_FIELDS[2:], "")
    return {
        "max_tokens": _format_number(conversation.max_tokens),
        "temperature": _format_number(conversation.temperature),
        "reasoning_effort": conversation.reasoning_effort,
        "system_prompt": conversation.system_prompt,
    }


def _format_number(number: float | None) -> str:
    return "" if number is None else str(number).removesuffix(".0")


def _select_default_model(
    user: User,
    conversation: Conversation | None,
    groups: tuple[ModelGroup, ...],
    used_models: list[str],
) -> str:
    """The conversation's own model; for a new one the last used that works still, otherwise the
    first of a provider. That is the demo's only where nothing else works."""
    if conversation and conversation.model:
        return conversation.model
    better = _select_real_groups(groups)
    usable = [group for group in groups if group.is_usable and group.models]
    among = better or [group for group in usable if group.is_working] or usable
    working = {choice.id for group in among for choice in group.models}
    if last := next((model for model in used_models if model in working), ""):
        return last
    listed = keys.listed_model_ids(user) if better else set[str]()
    first = pick_default_model(among[0].models, listed) if among else None
    return first.id if first else ""


def _load_used_models(user: User) -> list[str]:
    """The models of the newest conversations, each once."""
    mine = Conversation.objects.owned_by(user).order_by("-updated_at")
    used = mine.exclude(model="").values_list("model", flat=True)[:MAX_RECENT_CONVERSATIONS]
    return list(dict.fromkeys(used))


def _select_recent_models(groups: tuple[ModelGroup, ...], used_models: list[str]) -> list[str]:
    """Return the recently used models, without the demo if there is a better one."""
    demo = {choice.id for group in groups if group.is_demo for choice in group.models}
    better = _select_real_groups(groups)
    return [model for model in used_models if not (better and model in demo)][:MAX_RECENT_MODELS]


def _build_hint(user: User, model: str, groups: tuple[ModelGroup, ...]) -> str:
    for group in groups:
        for choice in group.models:
            if choice.id == model:
                return "" if group.is_usable else describe_missing_key(choice.provider)
    known = model_catalog.load_models(user)
    if (gone := known.get(model)) and gone.lifecycle == "retired":
        return describe_retirement(gone, known.get(gone.successor))
    return f"“{model}” is not served here any more. Pick another model."
