"""Access tokens for administrators: what there is, and a way to revoke it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import AccessToken
from accounts.people.rights import RowsOfPeopleMixin
from accounts.tokens.tokens import revoke_tokens


@admin.register(AccessToken)
class AccessTokenAdmin(RowsOfPeopleMixin, admin.ModelAdmin):
    """Nobody creates a token for somebody else. A deletion revokes it."""

    list_display = (
        "id",
        "user",
        "name",
        "shown_scopes",
        "created_at",
        "expires_at",
        "last_used_at",
    )
    list_filter = ("created_at", "expires_at", "last_used_at")
    list_select_related = ("user",)
    search_fields = ("user__email",)
    fields = ("user", "name", "shown_scopes", "created_at", "expires_at", "last_used_at")
    readonly_fields = fields

    @admin.display(description=_("rights"))
    def shown_scopes(self, token: AccessToken) -> str:
        return ", ".join(token.scopes)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def delete_model(self, request: HttpRequest, token: AccessToken) -> None:
        revoke_tokens(token.user, [token.pk], request)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[AccessToken]) -> None:
        for token in queryset.select_related("user"):
            self.delete_model(request, token)
