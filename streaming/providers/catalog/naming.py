"""The names of models: how forms, URLs and rows name one, and whether a name looks like a chat."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from streaming.providers.catalog import Model

FORM_VALUE_SEPARATOR = ":"
"""Between a provider and a name. No id of a provider contains it. A slash would be ambiguous, since
a router's “openai/gpt-5.5” is no model of OpenAI's."""
MAX_MODEL_NAME_CHARS = 300
MAX_FORM_VALUE_CHARS = MAX_MODEL_NAME_CHARS + 51
"""A name with a provider, whose id has at most 50 characters."""


class ModelKey(NamedTuple):
    """A model is its provider and its name there, because two providers may have the same name."""

    provider: str
    name: str


def build_form_value(provider: str, name: str) -> str:
    """The text by which forms, drafts and URLs name a model. `find_model` reads it."""
    return f"{provider}{FORM_VALUE_SEPARATOR}{name}" if provider else name


def find_model(models: Mapping[ModelKey, Model], name: str, provider: str = "") -> Model | None:
    """The provider's model of this name.

    Without a provider, `name` is the value of a form, or a bare name that an older version stored.
    A bare name belongs to the first provider that has it; the catalog's models come first.
    """
    if provider:
        return models.get(ModelKey(provider, name))
    return (
        _find_qualified(models, name, FORM_VALUE_SEPARATOR)
        or next((model for model in models.values() if model.id == name), None)
        or _find_qualified(models, name, "/")
    )


def _find_qualified(models: Mapping[ModelKey, Model], text: str, separator: str) -> Model | None:
    provider, _, name = text.partition(separator)
    return models.get(ModelKey(provider, name))


NOT_FOR_CHAT = re.compile(
    r"(?<![a-z])(((text)?embed|whisper|transcri|rerank|moderation|imagen|lyria|davinci|babbage)|"
    r"(tts|audio|realtime|translate|image|dall-e|sora|veo|robotics|computer-use|search|aqa"
    r"|live|nano-banana)(?![a-z]))|3\.5-turbo-instruct|^(o\d.*)?deep-research|^gemini-omni",
    re.IGNORECASE,
)
"""Providers list models without saying what they are for. Whole words, or beginnings of words: the
name “Nousresearch” has “search” in it."""


def is_for_chat(model_id: str) -> bool:
    """Whether the name of a model that its own provider lists looks like one that writes
    replies."""
    return not NOT_FOR_CHAT.search(model_id.rpartition("/")[2])


OTHER_KIND = re.compile(
    r"(?<![a-z])((text)?embed(s|der|ding|dings)?|rerank(er)?|whisper|tts|transcri(be|ption)"
    r"|dall-?e|imagen|stable-diffusion|(gpt|qwen|chatgpt)-image|(omni|text)-moderation"
    r"|gpt-(4o-)?(mini-)?realtime)(?![a-z])",
    re.IGNORECASE,
)
"""Embeddings, rerankers, speech, images and moderation."""


def may_be_for_chat(model_id: str) -> bool:
    """Whether a model of any server may write replies: its name does not say that it is certainly
    of another kind."""
    return not OTHER_KIND.search(model_id.rpartition("/")[2])
