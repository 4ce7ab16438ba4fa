"""The types of ASGI. Those of `asgiref.typing` demand keys that the specification makes optional,
and allow no keys of our own in a scope."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
ASGIApp = Any
"""A function of a scope, a Receive and a Send. Django and Channels each type theirs differently."""
