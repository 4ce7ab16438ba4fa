"""The one place where each kind of data says how it is deleted with its account, and with its
conversation.

A part of the product registers the models that it adds: either as a kind of data, or as a model
that holds nothing of an account. A test fails for a model that does neither.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

BatchDeletion = Callable[[Any, int], int]
"""Delete rows of the owner with this id in one transaction, about as many as the limit. Return
their number, and 0 once there are none left. It may be called again at any time."""


class Stage(IntEnum):
    """The order of the kinds: what others refer to comes later."""

    CONTENT = 1
    STREAMS = 2
    CONTAINERS = 3
    SECRETS = 4
    TRACES = 5
    ACCOUNT = 6


@dataclass(frozen=True, slots=True)
class DataKind:
    """A kind of data of an account. `models` are the labels of the models whose rows are deleted,
    and `how` says for readers of this list how that is done."""

    name: str
    stage: Stage
    models: tuple[str, ...]
    how: str
    delete_of_account: BatchDeletion
    delete_of_conversation: BatchDeletion | None = None


DATA_KINDS: dict[str, DataKind] = {}
"""All registered kinds, by name."""

MODELS_WITHOUT_ACCOUNT: dict[str, str] = {}
"""Labels of models that hold nothing of an account, with the reason."""


def register_data(kind: DataKind) -> DataKind:
    """Raises ValueError if another kind has this name. Django may call `ready` again, which
    registers the same kinds."""
    if kind.name in DATA_KINDS and DATA_KINDS[kind.name].models != kind.models:
        raise ValueError(f"The kind of data {kind.name} is registered twice.")
    DATA_KINDS[kind.name] = kind
    return kind


def register_model_without_account(label: str, reason: str) -> None:
    MODELS_WITHOUT_ACCOUNT[label] = reason


def list_kinds() -> list[DataKind]:
    """In the order of their deletion."""
    return sorted(DATA_KINDS.values(), key=lambda kind: kind.stage)


def delete_rows(rows: QuerySet[Any], limit: int) -> int:
    """Delete the first rows, together with those that depend on them."""
    keys = list(rows.order_by("pk").values_list("pk", flat=True)[:limit])
    if keys:
        rows.model._base_manager.filter(pk__in=keys).delete()
    return len(keys)


def delete_selected(select: Callable[[Any], QuerySet[Any]]) -> BatchDeletion:
    """Delete the rows that `select` returns for the id of an account or a conversation."""

    def delete_batch(owner_id: int | UUID, limit: int) -> int:
        return delete_rows(select(owner_id), limit)

    return delete_batch
