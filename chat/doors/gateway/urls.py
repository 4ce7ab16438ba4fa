"""The addresses of the gateway, as OpenAI's clients know them."""

from __future__ import annotations

from django.urls import path

from chat.doors.gateway.views import responses

app_name = "gateway"

urlpatterns = [
    path("responses", responses.responses, name="responses"),
    path("responses/<str:id>", responses.response, name="response"),
    path("responses/<str:id>/cancel", responses.cancellation, name="cancellation"),
]
