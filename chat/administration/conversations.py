"""Conversations in the admin: what they are, and not what they say. The content has a page of its
own, which needs a grant and records each look."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Count, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from accounts.allauth_views import has_recent_confirmation, redirect_to_reauthenticate
from accounts.models import User
from chat.content_access.grants import may_read, record_look
from chat.models import Conversation

MESSAGES_PER_PAGE = 50


@admin.register(Conversation)
class ConversationAdmin(admin.ModelAdmin):
    list_display = ["id", "user", "status", "model", "message_count", "updated_at"]
    list_filter = ["status", "provider"]
    list_select_related = ["user"]
    search_fields = ["id", "user__email"]
    search_help_text = _("An id, or the address of a person")
    date_hierarchy = "updated_at"
    fields = [
        "user",
        "status",
        "provider",
        "model",
        "pinned",
        "created_at",
        "updated_at",
        "deleted_at",
        "message_count",
        "token_count",
        "content_link",
    ]
    readonly_fields = ["created_at", "updated_at", "deleted_at"]
    readonly_fields += ["message_count", "token_count", "content_link"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conversation]:
        return super().get_queryset(request).annotate(messages_in_it=Count("messages"))

    @admin.display(description=_("messages"), ordering="messages_in_it")
    def message_count(self, conversation: Any) -> int:
        return int(conversation.messages_in_it)

    @admin.display(description=_("tokens in and out"))
    def token_count(self, conversation: Conversation) -> str:
        sums = conversation.messages.aggregate(i=Sum("input_tokens"), o=Sum("output_tokens"))
        return f"{sums['i'] or 0:,} · {sums['o'] or 0:,}"

    @admin.display(description=_("content"))
    def content_link(self, conversation: Conversation) -> str:
        address = reverse("admin:chat_conversation_content", args=[conversation.pk])
        return format_html('<a href="{}">{}</a>', address, _("Read it; the person sees that"))

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.content_view)
        own = path("<uuid:id>/content/", page, name="chat_conversation_content")
        return [own, *super().get_urls()]

    def content_view(self, request: HttpRequest, id: UUID) -> HttpResponse:
        """A conversation that may not be read looks like one that does not exist."""
        if not has_recent_confirmation(request):
            return redirect_to_reauthenticate(request, request.get_full_path())
        assert isinstance(request.user, User)
        conversation = Conversation.objects.select_related("user").filter(pk=id).first()
        if conversation is None or not may_read(request.user, conversation.user):
            raise PermissionDenied(_("You have no access to this. Another administrator gives it."))
        record_look(request, conversation)
        messages = Paginator(conversation.messages.order_by("created_at"), MESSAGES_PER_PAGE)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Content of a conversation"),
            "conversation": conversation,
            "page": messages.get_page(request.GET.get("p")),
        }
        return TemplateResponse(request, "admin/chat/conversation/content.html", context)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # a conversation begins with a message

    def has_change_permission(self, request: HttpRequest, obj: Conversation | None = None) -> bool:
        return False  # only its owner changes it

    def has_delete_permission(self, request: HttpRequest, obj: Conversation | None = None) -> bool:
        return False  # its streams have to be stopped first
