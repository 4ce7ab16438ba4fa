"""Where requests and sockets come in, and where a process starts and drains what it runs."""

from __future__ import annotations

import os
from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.sessions import CookieMiddleware
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
pages = get_asgi_application()  # loads the apps; what follows needs their models

from django.conf import settings
from django.urls import path

from config.origin import own_pages_only
from streaming.consumers import FollowConsumer
from streaming.runtime import Runtime

socket: Any = FollowConsumer.as_asgi()
runtime = Runtime(worker=settings.EMBEDDED_WORKER)
runtime.on_reactor()

application = ProtocolTypeRouter(
    {
        "http": pages,
        "websocket": own_pages_only(CookieMiddleware(URLRouter([path("ws/", socket)]))),
        "lifespan": runtime.lifespan,
    }
)
