"""Conversations and models in Django's admin."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from accounts.admin_guard import DateHierarchyMixin
from chat.models import Conversation, Message, ModelOverride, RefusedParameter


class MessageInline(admin.TabularInline):
    model = Message
    readonly_fields = ["created_at", "role", "model", "content", "is_complete", "finish_reason"]
    exclude = ["parent", "reasoning", "seams", "stream", "provider", "cost"]
    exclude += ["input_tokens", "output_tokens", "reasoning_tokens"]
    ordering = ["created_at"]
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Conversation | None = None) -> bool:
        return False


@admin.register(Conversation)
class ConversationAdmin(DateHierarchyMixin, admin.ModelAdmin):
    list_display = ["title", "user", "status", "model", "updated_at"]
    list_filter = ["status", "model"]
    list_select_related = ["user"]
    search_fields = ["title", "user__email"]
    readonly_fields = ["user", "status", "current_leaf", "created_at", "updated_at"]
    date_hierarchy = "updated_at"
    inlines = [MessageInline]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # a conversation begins with a message

    def has_delete_permission(self, request: HttpRequest, obj: Conversation | None = None) -> bool:
        return False  # its streams have to be stopped first


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
