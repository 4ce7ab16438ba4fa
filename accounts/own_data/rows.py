"""The row of the account page that leads to a person's data."""

from __future__ import annotations

from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.account_page.rows import AccountRow, register_row
from accounts.decorators import UserRequest


@register_row("data")
def build_data_row(request: UserRequest) -> AccountRow:
    status = _("Old chats, activity, deletion")
    return AccountRow(_("Your data"), status, reverse("data"), _("Show"))
