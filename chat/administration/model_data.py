"""Data of models in the admin: values of an administrator, and refused parameters."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from chat.models import ModelOverride, RefusedParameter


@admin.register(ModelOverride)
class ModelOverrideAdmin(admin.ModelAdmin):
    list_display = ["model_id", "provider", "label", "hidden", "context_window"]
    list_display += ["input_price", "output_price"]
    list_filter = ["hidden", "provider"]
    search_fields = ["model_id", "label"]


@admin.register(RefusedParameter)
class RefusedParameterAdmin(admin.ModelAdmin):
    list_display = ["model_id", "parameter", "endpoint", "created_at"]
    list_filter = ["parameter", "endpoint"]
    search_fields = ["model_id"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(
        self, request: HttpRequest, obj: RefusedParameter | None = None
    ) -> bool:
        return False  # delete the row if the provider supports the parameter now
