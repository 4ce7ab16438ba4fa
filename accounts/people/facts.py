"""Counts for the list of people, by the query of the list."""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db.models import (
    Count,
    Exists,
    IntegerField,
    Model,
    OuterRef,
    QuerySet,
    Subquery,
    Value,
)
from django.db.models.functions import Coalesce, Now

from accounts.models import ApiKey, User
from streaming.models import Stream


def annotate_facts(people: QuerySet[User]) -> QuerySet[User]:
    """Add `sessions_open`, `has_factor`, `keys_stored` and `replies_unfinished`. The database
    counts only for the rows of the page."""
    live = Session.objects.filter(session_key=OuterRef("session_key"), expire_date__gt=Now())
    return people.annotate(
        sessions_open=_count(UserSession.objects.filter(Exists(live)), "user"),
        has_factor=Exists(Authenticator.objects.filter(user=OuterRef("pk"))),
        keys_stored=_count(ApiKey.objects.all(), "user"),
        replies_unfinished=_count(Stream.objects.unfinished(), "owner"),
    )


def _count(rows: QuerySet[Model], owner: str) -> Coalesce:
    of_person = rows.filter(**{owner: OuterRef("pk")}).order_by().values(owner)
    counted = of_person.annotate(found=Count("pk")).values("found")
    return Coalesce(Subquery(counted, output_field=IntegerField()), Value(0))
