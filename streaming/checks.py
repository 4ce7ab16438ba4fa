"""System checks: what is missing or wrong in a project that runs the engine."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.sessions.backends.db import SessionStore
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import FieldDoesNotExist
from django.db.models import BooleanField, Field, IntegerField
from django.utils.module_loading import import_string

from streaming.conf import PREFIX, engine_settings, list_settings


@register("streaming")
def check_settings(**kwargs: Any) -> list[CheckMessage]:
    known = {setting.name for setting in list_settings()}
    unknown = sorted(name for name in dir(settings) if name.startswith(PREFIX))
    return [
        *(
            Error(f"{setting.name} must be {setting.requirement}.", id="streaming.E001")
            for setting in list_settings()
            if not setting.is_valid(getattr(settings, setting.name, setting.default))
        ),
        *(
            Warning(f"{name} is no setting of the engine.", id="streaming.W001")
            for name in unknown
            if name not in known
        ),
    ]


@register("streaming")
def check_hooks(**kwargs: Any) -> list[CheckMessage]:
    return [*_check_revision_field(), *_check_simulated_drop()]


def _check_revision_field() -> Iterator[CheckMessage]:
    name: Any = engine_settings.USER_REVISION_FIELD  # E001 reports a value that is no text
    if name and isinstance(name, str) and not _has_user_field(name, IntegerField):
        yield Error(
            f"STREAMING_USER_REVISION_FIELD: the user model has no whole number {name!r}.",
            id="streaming.E002",
        )


@register("streaming")
def check_user_model(**kwargs: Any) -> list[CheckMessage]:
    """Streams of a deactivated user are not run, so the database must have a column for it."""
    if _has_user_field("is_active", BooleanField):
        return []
    return [
        Error(
            f"{get_user_model().__name__} has no field is_active.",
            hint="Add is_active = models.BooleanField(default=True).",
            id="streaming.E007",
        )
    ]


def _has_user_field(name: str, kind: type[Field[Any, Any]]) -> bool:
    try:
        return isinstance(get_user_model()._meta.get_field(name), kind)
    except FieldDoesNotExist:
        return False


def _check_simulated_drop() -> Iterator[CheckMessage]:
    path = engine_settings.SIMULATED_DROP
    try:
        if path and isinstance(path, str):
            import_string(path)
    except ImportError as problem:
        yield Error(f"STREAMING_SIMULATED_DROP: {problem}.", id="streaming.E003")


@register("streaming")
def check_channel_layer(**kwargs: Any) -> list[CheckMessage]:
    layer = getattr(settings, "CHANNEL_LAYERS", {}).get("default", {})
    if not layer.get("BACKEND"):
        return [
            Error(
                "There is no default channel layer.",
                hint="Set CHANNEL_LAYERS, for example to channels.layers.InMemoryChannelLayer in a "
                "project of one process.",
                id="streaming.E004",
            )
        ]
    if layer["BACKEND"].startswith("channels_redis.core."):
        return [
            Warning(
                "The core layer of channels_redis drops messages above its capacity.",
                hint="Use channels_redis.pubsub.RedisPubSubChannelLayer, or "
                "streaming.hub.sealed_layer.SealedLayer.",
                id="streaming.W002",
            )
        ]
    return []


@register("streaming")
def check_sessions(**kwargs: Any) -> list[CheckMessage]:
    """Sockets read the rows of many sessions in one query."""
    if "django.contrib.sessions" not in settings.INSTALLED_APPS:
        return [Error("django.contrib.sessions is not installed.", id="streaming.E005")]
    store: Any = import_module(settings.SESSION_ENGINE)
    if not issubclass(store.SessionStore, SessionStore):
        return [
            Error(
                f"SESSION_ENGINE {settings.SESSION_ENGINE!r} keeps sessions outside of the "
                "database, where sockets can't read them.",
                hint="Use django.contrib.sessions.backends.db, or a subclass of it.",
                id="streaming.E006",
            )
        ]
    return []
