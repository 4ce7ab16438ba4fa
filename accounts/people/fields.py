"""Fields of the admin's forms that name people by address. A list of all people would be a page of
megabytes. These fields need no script."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.email_addresses import find_user_by_email
from accounts.models import User

MAX_ID_DIGITS = 18


def find_person(text: str) -> User:
    """By an address, or the number of an account. Raises ValidationError."""
    text = text.strip()
    if text.isdecimal() and len(text) <= MAX_ID_DIGITS:
        person = User.objects.filter(pk=int(text)).first()
    else:
        person = find_user_by_email(text)
    if person is None:
        raise ValidationError(_("Nobody has the address %(text)s."), params={"text": text[:254]})
    return person


class PersonField(forms.CharField):
    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        return find_person(text) if text else None


class PeopleField(forms.CharField):
    """Each person on a line."""

    widget = forms.Textarea(attrs={"rows": 5, "cols": 60})

    def prepare_value(self, value: Any) -> Any:
        if value is None or isinstance(value, str):
            return value
        ids = [getattr(each, "pk", each) for each in value]
        return "\n".join(User.objects.filter(pk__in=ids).values_list("email", flat=True))

    def clean(self, value: Any) -> Any:
        return [find_person(line) for line in super().clean(value).splitlines() if line.strip()]

    def has_changed(self, initial: Iterable[User] | None, data: str | None) -> bool:
        before = str(self.prepare_value(initial or ()))
        return set(before.split()) != set((data or "").lower().split())
