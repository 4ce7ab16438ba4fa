"""The addresses of the gateway, as OpenAI's clients know them."""

from __future__ import annotations

from django.urls import path

from chat.doors.gateway.views import chat_completions, models, responses

app_name = "gateway"

urlpatterns = [
    path("responses", responses.responses, name="responses"),
    path("responses/<str:id>", responses.response, name="response"),
    path("responses/<str:id>/cancel", responses.cancellation, name="cancellation"),
    path("chat/completions", chat_completions.completions, name="chat-completions"),
    path("models", models.models, name="models"),
    path("models/<path:id>", models.model, name="model"),
]
