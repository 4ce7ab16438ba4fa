"""The entry point of requests and sockets; starts and drains what this process runs."""

from __future__ import annotations

import os
import sys
from typing import Any

import django
from channels.routing import ProtocolTypeRouter, URLRouter

from config import memory

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
memory.release_freed_memory()
django.setup()  # loads the apps; the imports below need their models

from django.conf import settings
from django.urls import path, re_path

from accounts import setup
from config.body_limits import limit_body
from config.handler import ThreadHandler
from config.health import add_health_check
from config.origin import reject_unknown_socket, require_same_origin
from config.request_queue import RequestQueueMiddleware
from streaming.consumers import FollowConsumer
from streaming.runtime import Runtime

if "twisted.internet.reactor" in sys.modules:  # under Daphne, which has no such limits
    from config import daphne_limits

    daphne_limits.install_limits()
if "uvicorn.config" in sys.modules:
    from config import uvicorn_limits

    uvicorn_limits.install_limits()

websocket_app: Any = FollowConsumer.as_asgi()
# After each system call the event loop waits up to this long for the interpreter while a thread
# computes: 700 times a second under attack.
sys.setswitchinterval(0.0002)
runtime = Runtime(worker=settings.EMBEDDED_WORKER)
runtime.attach_to_reactor()
setup.log_setup_code_in_thread()
unknown_socket_app: Any = reject_unknown_socket
websocket_routes: list[Any] = [path("ws/", websocket_app), re_path("", unknown_socket_app)]

application = ProtocolTypeRouter(
    {
        "http": limit_body(add_health_check(RequestQueueMiddleware(ThreadHandler()))),
        "websocket": require_same_origin(URLRouter(websocket_routes)),
        "lifespan": runtime.lifespan,
    }
)
