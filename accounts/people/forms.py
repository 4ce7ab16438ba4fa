"""The form of a person in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.forms import AdminPasswordChangeForm, AdminUserCreationForm, UserChangeForm
from django.core.exceptions import ValidationError

from accounts.deletion.erasure import LastAdministrator, require_other_administrator
from accounts.email_addresses import is_email_taken
from accounts.models import User
from accounts.password_change import store_password
from accounts.people.activation import ActivationRefused, require_can_deactivate
from accounts.people.addresses import describe_taken_address


class PersonForm(UserChangeForm):
    """Does not let anybody deactivate themselves, and lets one administrator remain."""

    actor: User
    """Set by the admin, for each request."""

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        # The instance gets the new values after this.
        lost = {
            name
            for name in ("is_active", "is_staff", "is_superuser")
            if getattr(self.instance, name) and values.get(name) is False
        }
        try:
            if "is_active" in lost:
                require_can_deactivate(self.instance, self.actor)
            elif lost:
                require_other_administrator(self.instance)
        except (ActivationRefused, LastAdministrator) as refusal:
            self.add_error(min(lost), str(refusal))
        return values


class NewPersonForm(AdminUserCreationForm):
    """Refuses the confirmed second address of another account, which signs in there."""

    class Meta:
        model = User
        fields = ("email",)

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]
        if is_email_taken(email):
            raise ValidationError(describe_taken_address())
        return email


class PersonPasswordForm(AdminPasswordChangeForm):
    """Stores the password and nothing else."""

    def save(self, commit: bool = True) -> User:
        """Raises AccountChanged."""
        is_usable = self.cleaned_data["set_usable_password"]
        password = self.cleaned_data["password1"] if is_usable else None
        store_password(self.user, password, inactive=True)
        user: User = self.user
        return user
