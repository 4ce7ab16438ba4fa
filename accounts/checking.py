"""Whether a key works: the provider is asked for its list of models, which costs nothing.

The same answer tells what the key's owner can be offered, so it is kept with the key.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.db import transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from accounts.keys import reveal_for_check
from accounts.models import ApiKey, Check, ListedModel
from streaming import asking
from streaming.providers import base, errors
from streaming.providers.catalog import (
    PROVIDERS,
    Model,
    by_provider,
    every_model,
    general,
    is_for_chat,
    unlisted,
)
from streaming.providers.prices import SNAPSHOT

MOST_MODELS = 500
"""Of a longer list the rest is left out: nobody picks from it."""
LONGEST_NAME = 100

# What the provider's refusal says of the key. Any other error says nothing of it.
TOLD = {
    errors.InvalidKey: Check.INVALID,
    errors.NoPermission: Check.NO_PERMISSION,
    errors.NoCredit: Check.NO_CREDIT,
}
SENTENCES = {
    Check.GOOD: "{provider} accepts it.",
    Check.INVALID: (
        "{provider} does not accept this key. Copy it once more from the page you got it from, "
        "or make a new one there."
    ),
    Check.NO_PERMISSION: (
        "{provider} knows it but does not let it list models, so it may not be able to answer."
    ),
    Check.NO_CREDIT: "The account behind it has no credit left at {provider}: top it up there.",
    Check.DOWN: "It could not be checked, because {provider} did not answer.",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a provider said of a key; `models` is None unless it listed them."""

    provider: str
    result: Check
    models: tuple[base.ListedModel, ...] | None = None

    @property
    def sentence(self) -> str:
        """For the key's owner."""
        return SENTENCES[self.result].format(provider=PROVIDERS[self.provider].name)


@sensitive_variables("secret")
def check(provider: str, secret: str) -> Verdict:
    """Ask the provider about a key that is to be saved. Takes some five seconds at most."""
    try:
        return Verdict(provider, Check.GOOD, asking.listed(provider, secret))
    except errors.ProviderError as error:
        return Verdict(provider, TOLD.get(type(error), Check.DOWN))


def check_again(key: ApiKey) -> Verdict:
    """Ask about a key that is kept, and note the answer. Raises Unsealable."""
    verdict = check(key.provider, reveal_for_check(key))
    note(key, verdict)
    return verdict


def note(key: ApiKey, verdict: Verdict) -> None:
    """Keep what was said of a key with it. A list from before stays until there is a newer one."""
    with transaction.atomic():
        # Not `key` itself: it may have been replaced while the provider was asked.
        asked = ApiKey.objects.select_for_update().filter(pk=key.pk, created_at=key.created_at)
        if (current := asked.first()) is None:
            return
        current.last_checked_at = timezone.now()
        current.check_result = verdict.result
        current.save(update_fields=["last_checked_at", "check_result"])
        if verdict.models is not None:
            current.listed.all().delete()
            ListedModel.objects.bulk_create(_rows(current, verdict.models))


def _rows(key: ApiKey, models: tuple[base.ListedModel, ...]) -> list[ListedModel]:
    """What is kept of a list: no dated snapshot beside the model that it is one of."""
    named = {model.id: model for model in models if is_offered(model)}
    kept = [m for id, m in named.items() if SNAPSHOT.sub("", id) not in named.keys() - {id}]
    return [
        ListedModel(
            key=key,
            place=place,
            model_id=model.id,
            label=model.label[:LONGEST_NAME],
            context_window=model.context_window,
            max_output=model.max_output,
            lifecycle=model.lifecycle[:30],
            shutdown=model.shutdown,
        )
        for place, model in enumerate(kept[:MOST_MODELS])
    ]


def first_model(verdict: Verdict) -> Model | None:
    """The model to begin with of those that the key is good for."""
    provider = PROVIDERS[verdict.provider]
    listed = [model for model in verdict.models or () if is_offered(model)]
    known = by_provider(every_model())[provider]
    if not known:
        named = (replace(unlisted(m.id, provider), label=m.label or m.id) for m in listed)
        return next(named, None)
    return general(known, {model.id for model in listed})


def is_offered(model: base.ListedModel) -> bool:
    """Whether a model of the list can be picked for a chat."""
    name = model.id or ""  # whatever a compatible server sends
    return 0 < len(name) <= LONGEST_NAME and is_for_chat(name)
