"""The entry point of requests, event streams and sockets; starts and drains what runs here."""

from __future__ import annotations

import asyncio
import os
import sys

import django
from channels.routing import ProtocolTypeRouter

from config import memory
from config.core_dumps import disable_core_dumps

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
memory.release_freed_memory()
disable_core_dumps()
django.setup()  # loads the apps; the imports below need their models

from django.conf import settings

from accounts import setup
from accounts.mails.queue import mail_queue
from chat.doors.registry import load_sockets
from config.body_limits import limit_body
from config.command_turns import CommandTurns
from config.early_answers import complete_answers
from config.even_answers import even_out_answers
from config.handler import ThreadHandler
from config.health import add_health_check
from config.request_queue import ClientLimiter, RequestQueueMiddleware, SharesByKind
from config.response_headers import add_response_headers
from streaming.doors.commands import set_turn_runner
from streaming.doors.sender import send_follow_responses
from streaming.doors.sse.routing import add_event_streams
from streaming.doors.websocket.routing import build_websocket_app
from streaming.runtime import Runtime
from streaming.runtime.daphne import attach_to_reactor
from streaming.runtime.lifespan import build_lifespan_app

if "twisted.internet.reactor" in sys.modules:  # under Daphne, which has no such limits
    from config import daphne_limits

    daphne_limits.install_limits()
if "uvicorn.config" in sys.modules:
    from config import uvicorn_limits

    uvicorn_limits.install_limits()

# After each system call the event loop waits up to this long for the interpreter while a thread
# computes: 700 times a second under attack.
sys.setswitchinterval(0.0002)


class WebRuntime(Runtime):
    """Also sends the mails that still wait, before the process ends."""

    async def drain(self) -> None:
        await super().drain()
        await asyncio.to_thread(mail_queue.finish)


runtime = WebRuntime(worker=settings.EMBEDDED_WORKER)
attach_to_reactor(runtime)
setup.log_setup_code_in_thread()

shares, limiter = SharesByKind(), ClientLimiter()
queue = RequestQueueMiddleware(ThreadHandler(), shares=shares, limiter=limiter)
set_turn_runner(CommandTurns(shares, limiter).run)
pages = send_follow_responses(even_out_answers(queue))
with_events = add_event_streams(pages)
application = ProtocolTypeRouter(
    {
        "http": complete_answers(limit_body(add_health_check(with_events))),
        "websocket": add_response_headers(build_websocket_app(others=load_sockets())),
        "lifespan": build_lifespan_app(runtime),
    }
)
