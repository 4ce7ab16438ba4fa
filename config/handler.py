"""Handles each request in one thread, from its first middleware to its last.

Django's own handler returns to the event loop before and after each middleware and view. That takes
a quarter of the time of a small page, and under load each of these returns waits for the
interpreter.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from streaming.doors.sender import SCOPE_KEY, FollowResponse

CANCEL_CHECK_STEPS = 4


class ThreadHandler(ASGIHandler):
    """An ASGI application whose middleware and views are synchronous."""

    def load_middleware(self, is_async: bool = False) -> None:
        """Load the synchronous form of each middleware, whichever form Django requests."""
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        # A thread can't be cancelled. A client that disconnected in the queue is noticed by
        # Django's handler during these steps of the event loop.
        for _ in range(CANCEL_CHECK_STEPS):
            await asyncio.sleep(0)
        response = await sync_to_async(self.get_response, thread_sensitive=True)(request)
        if isinstance(response, FollowResponse) and isinstance(request, ASGIRequest):
            cast(dict[str, Any], request.scope)[SCOPE_KEY] = response
        return response

    async def send_response(self, response: HttpResponseBase, send: Any) -> None:
        """A FollowResponse is sent later, by `send_follow_responses`."""
        if not isinstance(response, FollowResponse):
            await super().send_response(response, send)
