"""The kinds of connections, and of their audit events."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.audit.kinds import register_kind


class ConnectionKind(models.TextChoices):
    """All but the last are ids of providers in the catalog."""

    OPENAI = "openai", "OpenAI"
    ANTHROPIC = "anthropic", "Anthropic"
    GOOGLE = "google", "Google"
    COMPATIBLE = "compatible", _("Server that speaks OpenAI’s Chat Completions")


CONNECTION_ADDED = register_kind("connection.added", _("Added a connection"))
CONNECTION_CHANGED = register_kind("connection.changed", _("Changed a connection"))
CONNECTION_REMOVED = register_kind("connection.removed", _("Removed a connection"))
