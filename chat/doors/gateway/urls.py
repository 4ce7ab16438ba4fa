"""The addresses of the gateway, as OpenAI's clients know them."""

from __future__ import annotations

from django.urls import path, re_path

from chat.doors.gateway.views import chat_completions, conversations, items, models, responses

app_name = "gateway"

urlpatterns = [
    path("responses", responses.responses, name="responses"),
    # No response has an id like “compact”, which is an address of OpenAI's that is not here.
    re_path(r"^responses/(?P<id>resp_[^/]+)$", responses.response, name="response"),
    path("responses/<str:id>/cancel", responses.cancellation, name="cancellation"),
    path("responses/<str:id>/input_items", items.input_items, name="input-items"),
    path("conversations", conversations.conversations, name="conversations"),
    path("conversations/<str:id>", conversations.conversation, name="conversation"),
    path("conversations/<str:id>/items", items.items, name="items"),
    path("conversations/<str:id>/items/<str:item_id>", items.item, name="item"),
    path("chat/completions", chat_completions.completions, name="chat-completions"),
    path("models", models.models, name="models"),
    path("models/<path:id>", models.model, name="model"),
]
