"""Where requests and sockets come in, and where a process starts and drains what it runs."""

from __future__ import annotations

import os
import sys
from typing import Any

import django
from channels.routing import ProtocolTypeRouter, URLRouter

from config import memory

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
memory.give_back_what_is_freed()
django.setup()  # loads the apps; what follows needs their models

from django.conf import settings
from django.urls import path, re_path

from accounts import setup
from config.bodies import bounded
from config.handler import ThreadHandler
from config.health import with_health
from config.origin import no_such_socket, own_pages_only
from config.turns import InTurns
from streaming.consumers import FollowConsumer
from streaming.runtime import Runtime

if "twisted.internet.reactor" in sys.modules:  # under Daphne, which has no such bounds
    from config import daphne_bounds

    daphne_bounds.bound()
if "uvicorn.config" in sys.modules:
    from config import uvicorn_bounds

    uvicorn_bounds.bound()

socket: Any = FollowConsumer.as_asgi()
# The event loop waits for the interpreter after each system call, for as long as this, while a
# thread computes: 700 times a second under attack.
sys.setswitchinterval(0.0002)
runtime = Runtime(worker=settings.EMBEDDED_WORKER)
runtime.on_reactor()
setup.announce_soon()
nowhere: Any = no_such_socket
routes: list[Any] = [path("ws/", socket), re_path("", nowhere)]

application = ProtocolTypeRouter(
    {
        "http": bounded(with_health(InTurns(ThreadHandler()))),
        "websocket": own_pages_only(URLRouter(routes)),
        "lifespan": runtime.lifespan,
    }
)
