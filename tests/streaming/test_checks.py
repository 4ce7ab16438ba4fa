"""The system checks report missing or wrong settings of a project that uses the engine."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.checks import run_checks

from streaming import checks
from streaming.conf import engine_settings, list_settings

LAYER = "channels_redis.core.RedisChannelLayer"


def find_check_ids() -> set[str | None]:
    return {message.id for message in run_checks(tags=["streaming"])}


def test_our_own_settings_are_right() -> None:
    assert find_check_ids() == set()


@pytest.mark.parametrize(
    ("name", "value", "id"),
    [
        ("STREAMING_MAX_STREAMS_PER_WORKER", "200", "streaming.E001"),
        ("STREAMING_MAX_STREAMS_PER_USER", 0, "streaming.E001"),
        ("STREAMING_MAX_SOCKETS_PER_USER", True, "streaming.E001"),
        ("STREAMING_POOLS", {"demo": "ten"}, "streaming.E001"),
        ("STREAMING_DRAIN_SECONDS", -1, "streaming.E001"),
        ("STREAMING_FOLD_AFTER_SECONDS", None, "streaming.E001"),
        ("STREAMING_TRUSTED_ORIGINS", "https://example.org", "streaming.E001"),
        ("STREAMING_TRUSTED_PROXY_COUNT", -1, "streaming.E001"),
        ("STREAMING_USER_REVISION_FIELD", "no_such_field", "streaming.E002"),
        ("STREAMING_USER_REVISION_FIELD", "email", "streaming.E002"),
        ("STREAMING_USER_REVISION_FIELD", 7, "streaming.E001"),
        ("STREAMING_SIMULATED_DROP", "no.such.function", "streaming.E003"),
        ("STREAMING_MAX_STREAMS", 7, "streaming.W001"),
        ("CHANNEL_LAYERS", {}, "streaming.E004"),
        ("CHANNEL_LAYERS", {"default": {"BACKEND": LAYER}}, "streaming.W002"),
        ("SESSION_ENGINE", "django.contrib.sessions.backends.cache", "streaming.E006"),
    ],
)
def test_a_wrong_setting_is_named(settings: Any, name: str, value: Any, id: str) -> None:
    setattr(settings, name, value)
    assert find_check_ids() == {id}


def test_sockets_need_the_table_of_sessions(settings: Any) -> None:
    sessions = "django.contrib.sessions"
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != sessions]
    assert find_check_ids() == {"streaming.E005"}


def test_a_user_model_says_who_is_active(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.STREAMING_USER_REVISION_FIELD = ""
    monkeypatch.setattr(checks, "get_user_model", lambda: Group)
    assert find_check_ids() == {"streaming.E007"}


def test_every_setting_has_a_valid_default(settings: Any) -> None:
    for setting in list_settings():
        delattr(settings, setting.name)
        assert setting.is_valid(setting.default), setting.name
    assert (engine_settings.MAX_STREAMS_PER_WORKER, engine_settings.POOLS) == (200, {})
    assert find_check_ids() == set()
