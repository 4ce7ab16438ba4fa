"""Finds what is left of accounts that an older process deleted. It does not know the newer tables,
which have no foreign key constraint for that reason."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db.models import SET_NULL, Exists, ForeignKey, OuterRef, QuerySet

from accounts.deletion.models import AccountDeletion
from accounts.models import User

SEARCH_INTERVAL_SECONDS = 60 * 60
ACCOUNTS_PER_SEARCH = 100

_next_search_at = 0.0


def search_orphans() -> None:
    """Search once in an hour, in each worker."""
    global _next_search_at
    if time.monotonic() >= _next_search_at:
        _next_search_at = time.monotonic() + SEARCH_INTERVAL_SECONDS
        request_erasure_of_orphans()


def request_erasure_of_orphans() -> None:
    """Hand deleted accounts of which rows are left to the workers that delete accounts. A row that
    only names the account loses the name."""
    for field in list_unconstrained_fields():
        orphans = select_orphans(field)
        if field.remote_field.on_delete is SET_NULL:
            orphans.update(**{field.name: None})
            continue
        ids = orphans.values_list(field.attname, flat=True).distinct()[:ACCOUNTS_PER_SEARCH]
        AccountDeletion.objects.bulk_create(
            [AccountDeletion(user_id=id, actor_id=id) for id in ids], ignore_conflicts=True
        )


def list_unconstrained_fields() -> Iterator[ForeignKey[Any, Any]]:
    """The fields that refer to an account, in a table that the database lets keep its rows."""
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.concrete_fields:
            if not isinstance(field, ForeignKey) or field.related_model is not User:
                continue
            if not getattr(field, "db_constraint", True) and model is not AccountDeletion:
                yield field


def select_orphans(field: ForeignKey[Any, Any]) -> QuerySet[Any]:
    account = User.objects.filter(pk=OuterRef(field.attname))
    rows = field.model._base_manager.order_by()
    return rows.filter(~Exists(account)).exclude(**{field.name: None})
