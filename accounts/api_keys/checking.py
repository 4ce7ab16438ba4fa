"""Check a key: ask the provider for its list of models, which costs nothing.

The response shows which models the key's owner can use, so it is stored with the key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from accounts.api_keys.keys import decrypt_for_check
from accounts.models import ApiKey, KeyStatus, ListedModel
from accounts.providers import get_base_url, is_imitated
from streaming.providers import errors, listing
from streaming.providers.catalog import (
    PROVIDERS,
    Model,
    all_models,
    group_by_provider,
    model_from_id,
    pick_default_model,
)
from streaming.providers.catalog.naming import MAX_MODEL_NAME_CHARS, is_for_chat, may_be_for_chat
from streaming.providers.catalog.prices import SNAPSHOT_SUFFIX
from streaming.providers.http.parse import to_count
from streaming.providers.redaction import Secret
from streaming.providers.types import ModelInfo
from streaming.storable_text import replace_unstorable

MAX_LISTED_MODELS = 500
"""Longer lists are truncated, because nobody picks from the rest."""
MAX_LABEL_CHARS = 100
MAX_AVAILABILITY_CHARS = 30

# The status of a key for each error of the provider. Other errors do not concern the key.
STATUS_BY_ERROR = {
    errors.InvalidKey: KeyStatus.INVALID,
    errors.NoPermission: KeyStatus.NO_PERMISSION,
    errors.NoCredit: KeyStatus.NO_CREDIT,
    errors.UnreadableList: KeyStatus.UNREADABLE,
}
STATUS_TEXTS = {
    KeyStatus.VALID: _("%(provider)s key verified."),
    KeyStatus.INVALID: _(
        "%(provider)s rejected this key. Check that you copied all of it, or create a new one."
    ),
    KeyStatus.NO_PERMISSION: _(
        "%(provider)s accepts the key but doesn’t let it list models, so it may not be able to "
        "write replies."
    ),
    KeyStatus.NO_CREDIT: _("Your account at %(provider)s is out of credit. Add credit there."),
    KeyStatus.UNREACHABLE: _("The key couldn’t be checked, because %(provider)s didn’t respond."),
    KeyStatus.UNREADABLE: _(
        "The key couldn’t be checked, because the list of models that %(provider)s sent couldn’t "
        "be read."
    ),
}
LEFT_OUT_TEXT = _("It lists %(listed)s models; %(offered)s of them are offered.")
NO_MODELS_TEXT = _("%(provider)s lists no models for writing replies.")


@dataclass(frozen=True, slots=True)
class KeyCheck:
    """The result of a check; `models` is None unless the provider listed them."""

    provider: str
    status: KeyStatus
    models: tuple[ModelInfo, ...] | None = None

    @property
    def status_text(self) -> str:
        text = STATUS_TEXTS[self.status] % {"provider": PROVIDERS[self.provider].name}
        return f"{text} {self.list_text}".strip()

    @property
    def list_text(self) -> str:
        """Says if the list is empty, or how many of it are offered if not all are."""
        if self.models is None:
            return ""
        offered, left_out = select_models(self.provider, self.models)
        if not offered:
            return NO_MODELS_TEXT % {"provider": PROVIDERS[self.provider].name}
        counts = {"offered": len(offered), "listed": len(offered) + left_out}
        return LEFT_OUT_TEXT % counts if left_out else ""


@sensitive_variables("secret")
def check_key(provider: str, secret: str) -> KeyCheck:
    """Ask the provider about a key that is about to be saved. Takes five seconds at most."""
    try:
        key, base_url = Secret(secret), get_base_url(provider)
        models = listing.list_models_blocking(provider, key, base_url=base_url)
        return KeyCheck(provider, KeyStatus.VALID, models)
    except errors.ProviderError as error:
        return KeyCheck(provider, STATUS_BY_ERROR.get(type(error), KeyStatus.UNREACHABLE))


def recheck_key(key: ApiKey) -> KeyCheck:
    """Ask the provider about a stored key, and save the result. Raises SealBroken."""
    verdict = check_key(key.provider, decrypt_for_check(key))
    save_result(key, verdict)
    return verdict


def save_result(key: ApiKey, result: KeyCheck) -> None:
    """An earlier list stays until there is a newer one."""
    with transaction.atomic():
        # The key may have been replaced during the check.
        unchanged = ApiKey.objects.select_for_update().filter(pk=key.pk, created_at=key.created_at)
        if (current := unchanged.first()) is None:
            return
        current.last_checked_at = timezone.now()
        current.check_result = result.status
        if result.models is not None:
            offered, current.left_out = select_models(result.provider, result.models)
            current.listed.all().delete()
            ListedModel.objects.bulk_create(_build_listed_models(current, offered))
        current.save(update_fields=["last_checked_at", "check_result", "left_out"])


def select_models(provider: str, models: tuple[ModelInfo, ...]) -> tuple[list[ModelInfo], int]:
    """The models that are offered, fit to be stored, and the number of the others.

    Of a provider's own list, models of another kind and dated snapshots are left out and not
    counted: a snapshot only if its model is listed too.
    """
    named = {model.id: model for model in models if _has_usable_name(model)}
    chosen = {id: model for id, model in named.items() if _writes_text(provider, model)}
    left_out = len(named) - len(chosen)
    if not is_imitated(provider):
        chosen = {id: m for id, m in chosen.items() if not _is_snapshot(id, chosen)}
        left_out = 0
    left_out += max(0, len(chosen) - MAX_LISTED_MODELS)
    return [_make_storable(m) for m in chosen.values()][:MAX_LISTED_MODELS], left_out


def _has_usable_name(model: ModelInfo) -> bool:
    name = model.id or ""  # a compatible server may send anything
    return 0 < len(name) <= MAX_MODEL_NAME_CHARS and name.isprintable()


def _writes_text(provider: str, model: ModelInfo) -> bool:
    """The list's own words about a model count more than its name."""
    if model.writes_text is not None:
        return model.writes_text
    return may_be_for_chat(model.id) if is_imitated(provider) else is_for_chat(model.id)


def _is_snapshot(name: str, listed: Mapping[str, ModelInfo]) -> bool:
    model = SNAPSHOT_SUFFIX.sub("", name)
    return model != name and model in listed


def _make_storable(model: ModelInfo) -> ModelInfo:
    """A server may send anything beside the name."""
    return replace(
        model,
        label=_clean_line(model.label)[:MAX_LABEL_CHARS],
        availability=_clean_line(model.availability)[:MAX_AVAILABILITY_CHARS],
        context_window=to_count(model.context_window),
        max_output=to_count(model.max_output),
    )


def _clean_line(text: str) -> str:
    return " ".join(replace_unstorable(text).split())


def _build_listed_models(key: ApiKey, models: list[ModelInfo]) -> list[ListedModel]:
    return [
        ListedModel(
            key=key,
            position=position,
            model_id=model.id,
            label=model.label,
            context_window=model.context_window,
            max_output=model.max_output,
            availability=model.availability,
            shutdown=model.shutdown,
        )
        for position, model in enumerate(models)
    ]


def pick_first_model(result: KeyCheck) -> Model | None:
    provider = PROVIDERS[result.provider]
    listed, _left_out = select_models(result.provider, result.models or ())
    known = group_by_provider(all_models())[provider]
    if not known:
        named = (replace(model_from_id(m.id, provider), label=m.label or m.id) for m in listed)
        return next(named, None)
    return pick_default_model(known, {model.id for model in listed})
