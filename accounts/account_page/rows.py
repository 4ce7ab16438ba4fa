"""The rows of the account page. Another part of the product adds its own with `register_row`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from accounts.decorators import UserRequest
from accounts.models import User

ROW_NAMES = (
    "email",
    "password",
    "passkeys",
    "authenticator",
    "recovery-codes",
    "linked-accounts",
    "devices",
    "tokens",
    "webhooks",
    "data",
)
"""All rows in their order on the page. A row without a builder is not shown."""


@dataclass(frozen=True, slots=True)
class AccountRow:
    """A part of the account, its state in a few words, and the page that changes it."""

    label: str | Promise
    status: str | Promise
    link: str
    action: str | Promise
    """The text of the link. A screen reader hears the label after it."""


RowBuilder = Callable[[UserRequest], AccountRow | None]

_builders: dict[str, RowBuilder] = {}


def register_row(name: str) -> Callable[[RowBuilder], RowBuilder]:
    """Add a builder for a row of ROW_NAMES. It returns None if the row is not shown. Raises
    ValueError for another name, or for a second builder."""

    def decorator(builder: RowBuilder) -> RowBuilder:
        if name not in ROW_NAMES or name in _builders:
            raise ValueError(f"The row {name} is unknown or has a builder already.")
        _builders[name] = builder
        return builder

    return decorator


def build_rows(request: UserRequest) -> Iterable[AccountRow]:
    for name in ROW_NAMES:
        if (builder := _builders.get(name)) and (row := builder(request)):
            yield row


@register_row("email")
def build_email_row(request: UserRequest) -> AccountRow:
    return AccountRow(_("Email"), request.user.email, reverse("account_email"), _("Change"))


@register_row("password")
def build_password_row(request: UserRequest) -> AccountRow:
    """An account without a password gets one by a link in a mail."""
    user: User = request.user
    if user.has_usable_password():
        return AccountRow(_("Password"), _("Set"), reverse("account_change_password"), _("Change"))
    return AccountRow(_("Password"), _("None"), reverse("account_reset_password"), _("Set"))
