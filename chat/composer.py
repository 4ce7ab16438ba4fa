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
from chat import offer
from chat.calls import no_key
from chat.models import Conversation
from chat.replies import Standing, retired
from streaming.providers.catalog import DEMO_PROVIDER, Model, Provider, pick_default_model

FIELDS = ("text", "model", "max_tokens", "temperature", "reasoning_effort", "system_prompt")
"""What is kept of a message that could not be sent. Its request id is not: nothing was made."""

RECENT = 4
"""How many models are offered first."""
LOOKED_AT = 50
MAX_OPTIONS = 50
"""Lists of a provider's models that are kept as HTML: 20 KB each, 250 with 500 models."""


@dataclass(frozen=True, slots=True)
class Group:
    """The models of a provider. Without a key they are shown, and can't be picked; with a key that
    the provider has `refused` they can."""

    provider: Provider
    usable: bool
    choices: tuple[Model, ...]
    refused: bool = False

    @property
    def works(self) -> bool:
        return self.usable and bool(self.choices) and not self.refused

    @property
    def is_demo(self) -> bool:
        return self.provider.id == DEMO_PROVIDER


@dataclass(frozen=True, slots=True)
class Composer:
    """Everything the form shows."""

    action: str
    request_id: str
    groups: tuple[Group, ...]
    model: str
    usual: str
    gone: bool
    text: str
    max_tokens: str
    temperature: str
    reasoning_effort: str
    system_prompt: str
    running: str
    hint: str
    parent: str
    seen: str
    recent: str

    @property
    def options(self) -> list[SafeString]:
        """What the model can be picked from, of each provider."""
        value = f'<option value="{escape(self.model)}"'
        return [
            SafeString(_options(group).replace(value, f"{value} selected")) for group in self.groups
        ]

    @property
    def has_key(self) -> bool:
        """Whether there is a model to be had that is not for trying only."""
        return any(group.works and not group.is_demo for group in self.groups)

    @property
    def stop_action(self) -> str:
        return reverse("stop", args=[self.running]) if self.running else ""

    @property
    def chosen(self) -> Model | None:
        return next((m for g in self.groups for m in g.choices if m.id == self.model), None)

    @property
    def takes_temperature(self) -> bool:
        return self.chosen is not None and self.chosen.takes_temperature

    @property
    def efforts(self) -> tuple[str, ...]:
        """What the model takes as reasoning effort; without any the field is not for it."""
        return self.chosen.efforts if self.chosen else ()

    @property
    def max_output(self) -> int | None:
        return self.chosen.max_output if self.chosen else None

    @property
    def summary(self) -> str:
        """The settings that were changed, in a line short enough for a button."""
        parts = [
            self.temperature if self.takes_temperature else "",
            f"{self.max_tokens} tokens" if self.max_tokens else "",
            f"{self.reasoning_effort} effort" if self.reasoning_effort in self.efforts else "",
            "system prompt" if self.system_prompt else "",
        ]
        return " · ".join(part for part in parts if part)


@lru_cache(maxsize=MAX_OPTIONS)
def _options(group: Group) -> SafeString:
    """The HTML of a provider's models. To make it anew for each page took a third of the page's
    time."""
    return render_to_string("chat/_options.html", {"group": group})


def composer(
    user: User,
    conversation: Conversation | None,
    kept: Mapping[str, str],
    running: str = "",
    standing: Standing | None = None,
) -> Composer:
    """The form for the next message. `kept` has what was typed before, by field; `running` is
    the stream that Stop would stop, and `standing` is where the page stands."""
    groups = _groups(user)
    used = _used(user)
    settings = _settings(conversation) | {
        name: value for name, value in kept.items() if name in FIELDS
    }
    usual = _usual(user, conversation, groups, used)
    model = settings.get("model") or usual
    return Composer(
        action=reverse("send", args=[conversation.pk]) if conversation else reverse("start"),
        request_id=str(uuid.uuid4()),
        groups=groups,
        model=model,
        usual=usual,
        gone=not any(model == choice.id for group in groups for choice in group.choices),
        text=settings.get("text", ""),
        max_tokens=settings["max_tokens"],
        temperature=settings["temperature"],
        reasoning_effort=settings["reasoning_effort"],
        system_prompt=settings["system_prompt"],
        running=running,
        hint=_hint(user, model, groups),
        parent=str(standing.parent) if standing else "",
        seen=str(standing.seen) if standing else "",
        recent=" ".join(_recent(groups, used)),
    )


def _groups(user: User) -> tuple[Group, ...]:
    """In the catalog's order; the demo goes last once there is something better."""
    checked = keys.key_status_by_provider(user)
    groups = []
    for provider, models in offer.by_provider(user).items():
        usable = not provider.needs_key or provider.id in checked
        refused = checked.get(provider.id) == KeyStatus.INVALID
        groups.append(Group(provider, usable, models, refused))
    better = _better(groups)
    return tuple(sorted(groups, key=lambda group: bool(better) and group.is_demo))


def _better(groups: Iterable[Group]) -> list[Group]:
    """Those that work and are not for trying only."""
    return [group for group in groups if group.works and not group.is_demo]


def _settings(conversation: Conversation | None) -> dict[str, str]:
    """As its last message had them."""
    if conversation is None:
        return dict.fromkeys(FIELDS[2:], "")
    return {
        "max_tokens": _written(conversation.max_tokens),
        "temperature": _written(conversation.temperature),
        "reasoning_effort": conversation.reasoning_effort,
        "system_prompt": conversation.system_prompt,
    }


def _written(number: float | None) -> str:
    return "" if number is None else str(number).removesuffix(".0")


def _usual(
    user: User, conversation: Conversation | None, groups: tuple[Group, ...], used: list[str]
) -> str:
    """The conversation's own model; for a new one the last used that works still, otherwise the
    first of a provider. That is the demo's only where nothing else works."""
    if conversation and conversation.model:
        return conversation.model
    better = _better(groups)
    usable = [group for group in groups if group.usable and group.choices]
    among = better or [group for group in usable if group.works] or usable
    working = {choice.id for group in among for choice in group.choices}
    if last := next((model for model in used if model in working), ""):
        return last
    listed = keys.listed_model_ids(user) if better else set[str]()
    first = pick_default_model(among[0].choices, listed) if among else None
    return first.id if first else ""


def _used(user: User) -> list[str]:
    """The models of the newest conversations, each once."""
    mine = Conversation.objects.of(user).order_by("-updated_at")
    used = mine.exclude(model="").values_list("model", flat=True)[:LOOKED_AT]
    return list(dict.fromkeys(used))


def _recent(groups: tuple[Group, ...], used: list[str]) -> list[str]:
    """What is offered first: what was used last, without the demo where there is better."""
    demo = {choice.id for group in groups if group.is_demo for choice in group.choices}
    better = _better(groups)
    return [model for model in used if not (better and model in demo)][:RECENT]


def _hint(user: User, model: str, groups: tuple[Group, ...]) -> str:
    for group in groups:
        for choice in group.choices:
            if choice.id == model:
                return "" if group.usable else no_key(choice.provider)
    known = offer.models(user)
    if (gone := known.get(model)) and gone.lifecycle == "retired":
        return retired(gone, known.get(gone.successor))
    return f"“{model}” is not served here any more. Pick another model."
