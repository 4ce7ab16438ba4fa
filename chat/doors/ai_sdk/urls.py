"""The addresses that the transports of the AI SDK ask for, the first without a slash at its end.

The name of a chat is any text, so it may hold slashes and line ends.
"""

from __future__ import annotations

from django.urls import re_path

from chat.doors.ai_sdk import views

app_name = "ai-sdk"
urlpatterns = [
    re_path(r"^chat/?$", views.send_message, name="send"),
    re_path(r"^chat/(?P<name>[\s\S]+)/stream$", views.resume_stream, name="resume"),
    re_path(r"^chat/(?P<name>[\s\S]+)/stop$", views.stop_stream, name="stop"),
    re_path(r"^chat/(?P<name>[\s\S]+)/messages$", views.list_messages, name="messages"),
]
