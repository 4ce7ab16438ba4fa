"""Access to content in the admin: an administrator gives it to another one, for a time."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.people.fields import PersonField
from chat.content_access.grants import MAX_GRANT_HOURS, grant_access, revoke_grant
from chat.models import ContentGrant


class ContentGrantForm(forms.ModelForm):
    person = PersonField(
        label=_("Person"), help_text=_("The address of the person whose conversations may be read.")
    )
    hours = forms.IntegerField(label=_("Hours"), min_value=1, max_value=MAX_GRANT_HOURS, initial=1)

    class Meta:
        model = ContentGrant
        fields = ["reader", "person", "reason"]


@admin.register(ContentGrant)
class ContentGrantAdmin(admin.ModelAdmin):
    """Rows are given and ended, and not changed."""

    form = ContentGrantForm
    list_display = ["reader", "person", "reason", "until", "granted_by"]
    list_select_related = ["reader", "person", "granted_by"]

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "reader":
            staff = User.objects.filter(is_staff=True, is_active=True)
            kwargs["queryset"] = staff.exclude(pk=request.user.pk or 0)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: ContentGrant | None = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, grant: ContentGrant, form: Any, change: bool
    ) -> None:
        assert isinstance(request.user, User)
        made = grant_access(
            grant.reader,
            grant.person,
            hours=form.cleaned_data["hours"],
            reason=grant.reason,
            granted_by=request.user,
            request=request,
        )
        grant.pk = made.pk

    def delete_model(self, request: HttpRequest, grant: ContentGrant) -> None:
        revoke_grant(grant, request=request)

    def delete_queryset(self, request: HttpRequest, grants: QuerySet[ContentGrant]) -> None:
        for grant in grants:
            revoke_grant(grant, request=request)
