"""What the composer offers: the models, the settings, and the text that is already in it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from django.urls import reverse

from accounts import keys
from accounts.models import User
from chat import offer
from chat.calls import no_key
from chat.models import Conversation
from chat.replies import Standing, retired
from streaming.providers.catalog import Model, Provider

FIELDS = ("text", "model", "max_tokens", "temperature", "reasoning_effort", "system_prompt")
"""What is kept of a message that could not be sent. Its request id is not: nothing was made."""

RECENT = 4
"""How many models are offered first."""
LOOKED_AT = 50


@dataclass(frozen=True, slots=True)
class Group:
    """The models of a provider. Without a key they are shown, and can't be picked."""

    provider: Provider
    usable: bool
    choices: tuple[Model, ...]


@dataclass(frozen=True, slots=True)
class Composer:
    """Everything the form shows."""

    action: str
    request_id: str
    groups: tuple[Group, ...]
    model: str
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
    def has_key(self) -> bool:
        """Whether there is a model to be had that is not for trying only."""
        return any(group.usable and group.provider.needs_key for group in self.groups)

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


def composer(
    user: User,
    conversation: Conversation | None,
    kept: Mapping[str, str],
    running: str = "",
    standing: Standing | None = None,
) -> Composer:
    """The form for the next message. `kept` has what was typed before, by field; `running` is
    the stream that Stop would stop, and `standing` is where the page stands."""
    with_key = keys.providers_with_key(user)
    groups = tuple(
        Group(provider, not provider.needs_key or provider.id in with_key, models)
        for provider, models in offer.by_provider(user).items()
    )
    settings = _settings(conversation) | {
        name: value for name, value in kept.items() if name in FIELDS
    }
    model = settings.get("model") or _usual(user, conversation, groups)
    return Composer(
        action=reverse("send", args=[conversation.pk]) if conversation else reverse("start"),
        request_id=str(uuid.uuid4()),
        groups=groups,
        model=model,
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
        recent=" ".join(_recent(user)),
    )


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


def _usual(user: User, conversation: Conversation | None, groups: tuple[Group, ...]) -> str:
    """The conversation's own model; for a new one the last used, if it can be used still."""
    if conversation and conversation.model:
        return conversation.model
    usable = [choice.id for group in groups if group.usable for choice in group.choices]
    mine = Conversation.objects.of(user).order_by("-updated_at")
    last = mine.values_list("model", flat=True).first()
    return last if last in usable else usable[0]


def _recent(user: User) -> list[str]:
    """The models of the newest conversations, each once."""
    mine = Conversation.objects.of(user).order_by("-updated_at")
    used = mine.exclude(model="").values_list("model", flat=True)[:LOOKED_AT]
    return list(dict.fromkeys(used))[:RECENT]


def _hint(user: User, model: str, groups: tuple[Group, ...]) -> str:
    for group in groups:
        for choice in group.choices:
            if choice.id == model:
                return "" if group.usable else no_key(choice.provider)
    known = offer.models(user)
    if (gone := known.get(model)) and gone.lifecycle == "retired":
        return retired(gone, known.get(gone.successor))
    return f"“{model}” is not served here any more. Pick another model."
