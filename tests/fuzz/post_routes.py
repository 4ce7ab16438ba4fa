"""Every address that accepts a POST, with the names of its fields.

The addresses come from the URL conf. The fields of allauth's pages come from their form classes,
those of the admin from its models, and all others stand here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.admin import ModelAdmin
from django.urls import URLResolver, get_resolver

from accounts.tokens.paths import API_PATHS

COMPOSER = (
    "text", "model", "request_id", "parent", "seen", "system_prompt", "max_tokens", "temperature",
    "reasoning_effort", "draft", "usual", "default_model",
)  # fmt: skip
NO_FIELDS: tuple[str, ...] = ()
FIELDS: dict[str, tuple[str, ...]] = {
    "/": NO_FIELDS,
    "/accounts/2fa/": NO_FIELDS,
    "/accounts/2fa/app/add/": ("code", "next"),
    "/accounts/2fa/app/remove/": ("code",),
    "/accounts/2fa/confirm/": ("code", "next"),
    "/accounts/2fa/passkeys/%(pk)s/remove/": ("next",),
    "/accounts/2fa/passkeys/%(pk)s/rename/": ("name",),
    "/accounts/2fa/passkeys/add/": ("name", "credential"),
    "/accounts/2fa/passkeys/confirm/": ("credential", "next"),
    "/accounts/2fa/passkeys/sign-in/": ("credential", "next"),
    "/accounts/2fa/recovery-codes/": ("action",),
    "/accounts/2fa/sign-in/": ("code", "next"),
    "/accounts/3rdparty/confirm/": ("email", "next"),
    "/accounts/confirm-email/%(key)s/": NO_FIELDS,
    "/accounts/email/": (
        "email", "action_add", "action_primary", "action_send", "action_remove",
    ),
    "/accounts/github/login/": ("process", "next"),
    "/accounts/invitation/%(token)s/": NO_FIELDS,
    "/accounts/login/": ("login", "password", "remember", "next"),
    "/accounts/logout/": ("next",),
    "/accounts/oidc/%(provider_id)s/login/": ("process", "next"),
    "/accounts/password/set/": ("password1", "password2"),
    "/accounts/signup/": ("email", "password1", "password2", "setup_code", "next"),
    "/admin/": NO_FIELDS,
    "/admin/%(app_label)s/": NO_FIELDS,
    "/admin/%(url)s": NO_FIELDS,
    "/admin/accounts/user/%(id)s/password/": (
        "password1", "password2", "usable_password", "set-password", "unset-password",
    ),
    "/admin/accounts/auditevent/export/": ("q",),
    "/admin/accounts/ledgerentry/export/": ("by", "month", "person"),
    "/admin/autocomplete/": ("term", "app_label", "model_name", "field_name"),
    "/admin/chat/conversation/%(id)s/content/": NO_FIELDS,
    "/admin/jsi18n/": NO_FIELDS,
    "/admin/login/": ("username", "password", "next"),
    "/admin/logout/": NO_FIELDS,
    "/admin/password_change/done/": NO_FIELDS,
    "/admin/r/%(content_type_id)s/%(object_id)s/": NO_FIELDS,
    "/admin/r/%(row)s": NO_FIELDS,
    "/admin/password_change/": ("old_password", "new_password1", "new_password2"),
    "/c/": COMPOSER,
    "/c/%(id)s/deletion/": ("open",),
    "/c/%(id)s/messages/": COMPOSER,
    "/c/%(id)s/pin/": ("pinned",),
    "/c/%(id)s/reading/": NO_FIELDS,
    "/c/%(id)s/restoration/": NO_FIELDS,
    "/c/%(id)s/title/": ("title",),
    "/drafts/%(id)s/": (*COMPOSER, "conversation", "base", "version", "writer", "all"),
    "/m/%(id)s/continuations/": ("request_id",),
    "/m/%(id)s/versions/": COMPOSER,
    "/s/%(uuid)s/stop/": NO_FIELDS,
    "/settings/account/": ("name",),
    "/settings/data/": ("days", "confirmed"),
    "/settings/data/deletion/": ("email",),
    "/settings/keys/": NO_FIELDS,
    "/settings/keys/%(provider)s/": ("key",),
    "/settings/keys/%(provider)s/check/": NO_FIELDS,
    "/settings/keys/%(provider)s/remove/": NO_FIELDS,
    "/settings/linked-accounts/": ("linked",),
    "/settings/replies/": ("background_replies", "shows_program_chats"),
    "/settings/sessions/": ("session",),
    "/settings/sessions/end/": ("session", "action"),
    "/settings/tokens/": ("name", "scopes", "days"),
    "/settings/tokens/revoke/": ("token",),
    "/settings/webhooks/": ("address",),
    "/settings/webhooks/%(id)s/": NO_FIELDS,
    "/settings/webhooks/%(id)s/removal/": NO_FIELDS,
    "/settings/webhooks/%(id)s/secret/": NO_FIELDS,
    "/settings/webhooks/%(id)s/switch/": ("active",),
    "/settings/webhooks/deliveries/%(id)s/": NO_FIELDS,
    "/theme/": ("theme", "next"),
    "/type/": ("type", "next"),
}  # fmt: skip
ADMIN_FIELDS = (
    "action", "_selected_action", "select_across", "index", "post", "_save", "_continue",
    "_addanother", "_saveasnew", "_popup", "_to_field", "form-TOTAL_FORMS", "form-INITIAL_FORMS",
    "form-0-id",
)  # fmt: skip
COMMON_FIELDS = ("account", "csrfmiddlewaretoken", "next")


@dataclass(frozen=True, slots=True)
class Route:
    """An address with `%(name)s` for its variable parts, and the view behind it."""

    template: str
    names: tuple[str, ...]
    view: Callable[..., Any]


def list_routes() -> list[Route]:
    """Return one route for each template: the first that the URL conf has. The API and the gateway
    take JSON instead of forms: tests/clients, tests/doors/gateway."""
    routes: dict[str, Route] = {}
    for route in _walk_urls(get_resolver(), "/"):
        if not route.template.startswith(API_PATHS):
            routes.setdefault(route.template, route)
    return [routes[template] for template in sorted(routes)]


def _walk_urls(resolver: URLResolver, before: str) -> Iterator[Route]:
    for view in resolver.reverse_dict:
        if not callable(view):
            continue  # the same addresses by name
        for possibilities, *_ in resolver.reverse_dict.getlist(view):
            for template, names in possibilities:
                yield Route(before + template, tuple(names), view)
    for prefix, inner in resolver.namespace_dict.values():
        yield from _walk_urls(inner, before + prefix)


def find_fields(route: Route) -> tuple[str, ...] | None:
    """Return None for an address whose fields nobody has named."""
    if route.template in FIELDS:
        return FIELDS[route.template]
    if isinstance(admin := getattr(route.view, "model_admin", None), ModelAdmin):
        return (*ADMIN_FIELDS, *(field.name for field in admin.model._meta.fields))
    form = getattr(getattr(route.view, "view_class", None), "form_class", None)
    return tuple(form.base_fields) if form is not None else None
