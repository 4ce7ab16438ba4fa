"""The ways to confirm that it is the owner, before a change of the account."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

DESCRIPTIONS = {
    "reauthenticate": _("Use your password"),
    "mfa_reauthenticate:webauthn": _("Use a passkey"),
    "mfa_reauthenticate": _("Use a code"),
}
"""In their order: the first one that an account has is asked for, and recovery codes are last."""


def describe_methods(methods: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return allauth's methods in our order and words."""
    offered = {method["id"]: method for method in methods}
    return [
        offered[id] | {"description": description}
        for id, description in DESCRIPTIONS.items()
        if id in offered
    ]
