"""The ASGI application with the route of the sockets."""

from __future__ import annotations

import os
from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.usual.settings")
pages = get_asgi_application()

from django.urls import path

from benchmarks.usual.consumers import ReplyConsumer

urlpatterns: list[Any] = []
socket: Any = ReplyConsumer.as_asgi()
application = ProtocolTypeRouter(
    {"http": pages, "websocket": URLRouter([path("ws/<int:message>/", socket)])}
)
