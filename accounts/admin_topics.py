"""The models of the admin by topic, in the words of the pages. The index shows them in this order,
and not by the packages that they are from."""

from __future__ import annotations

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Names = dict[str, "str | Promise"]

TOPICS: dict[str, tuple[str | Promise, Names]] = {
    "people": (
        _("People"),
        {
            "accounts.User": _("People"),
            "account.EmailAddress": _("Email addresses"),
            "auth.Group": _("Groups"),
            "accounts.Invitation": _("Invitations"),
            "socialaccount.SocialAccount": _("Linked accounts"),
            "accounts.AccessToken": _("Access tokens"),
            "chat.Webhook": _("Webhooks"),
        },
    ),
    "keys": (
        _("Keys and connections"),
        {
            "accounts.Connection": _("Connections"),
            "accounts.ApiKey": _("Keys of people"),
            "accounts.LedgerEntry": _("Usage"),
        },
    ),
    "chats": (
        _("Chats"),
        {
            "chat.Conversation": _("Chats"),
            "chat.ContentGrant": _("Access to content"),
            "chat.FailedReply": _("Errors of replies"),
            "chat.ModelOverride": _("Own values of models"),
            "chat.RefusedParameter": _("Refused parameters"),
        },
    ),
    "streams": (
        _("Streams"),
        {"streaming.Stream": _("Streams"), "streaming.Worker": _("Workers")},
    ),
    "audit": (_("Audit"), {"accounts.AuditEvent": _("Audit events")}),
}


def group_by_topic(apps: list[Any], index: str) -> list[Any]:
    """Take the apps of Django's admin, and the address of its index. A model without a topic
    stays with its app."""
    found = {
        f"{app['app_label']}.{model['object_name']}": model
        for app in apps
        for model in app["models"]
    }
    topics = []
    for slug, (name, models) in TOPICS.items():
        shown = [
            found.pop(label) | {"name": words} for label, words in models.items() if label in found
        ]
        topics.append(
            {
                "name": name,
                "app_label": slug,
                "app_url": f"{index}#{slug}",
                "has_module_perms": True,
                "models": shown,
            }
        )
    rest = list(found.values())
    others = [app | {"models": [one for one in app["models"] if one in rest]} for app in apps]
    return [group for group in (*topics, *others) if group["models"]]
