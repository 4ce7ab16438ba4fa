"""The audit events of a rotation."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from accounts.audit.kinds import register_kind

KEYS_ROTATED = register_kind("keys.rotated", _("Re-sealed secrets with the newest master key"))
