"""The settings of a reply, and what a model takes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from django.utils.translation import gettext as _

from chat.models import Conversation
from chat.replies.errors import ReplyRejected
from streaming.providers.catalog import Model


@dataclass(frozen=True, slots=True)
class ReplySettings:
    """Settings that are None or empty are left to the provider."""

    model: str
    max_tokens: int | None = None
    temperature: float | None = None
    reasoning_effort: str = ""
    system_prompt: str = ""

    @classmethod
    def from_form(cls, cleaned_data: Mapping[str, Any]) -> Self:
        return cls(**{field.name: cleaned_data[field.name] for field in fields(cls)})

    @classmethod
    def from_conversation(cls, conversation: Conversation, model: str = "") -> Self:
        """The settings of the last reply, or the same with another model."""
        last = cls(**{field.name: getattr(conversation, field.name) for field in fields(cls)})
        return replace(last, model=model) if model else last

    def apply_to(self, conversation: Conversation) -> None:
        """Set the fields of the conversation, without saving it."""
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
        """Without the settings that the model does not take. They may come from another model that
        was picked before."""
        is_known_effort = self.reasoning_effort in model.efforts
        return replace(
            self,
            max_tokens=self.max_tokens if model.takes_max_tokens else None,
            temperature=self.temperature if model.takes_temperature else None,
            reasoning_effort=self.reasoning_effort if is_known_effort else "",
        )


def validate_settings(reply_settings: ReplySettings, model: Model) -> ReplySettings:
    """The settings that the model takes. Raises ReplyRejected for one that is out of range."""
    supported = reply_settings.for_model(model)
    if model.max_output and (supported.max_tokens or 0) > model.max_output:
        message = _("%(model)s writes at most %(count)s tokens.")
        values = {"model": model.label, "count": f"{model.max_output:,}"}
        raise ReplyRejected("max_tokens", message % values)
    return supported
