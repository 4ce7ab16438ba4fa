"""The boundary to every provider: turns and a key come in, deltas and one `Finish` come out.

A reply without `Finish` was cut short, whatever else it looks like. So adapters yield `Finish`
exactly once, last, and only when they saw the provider's own end marker.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol, runtime_checkable

from streaming.events import Delta, Finish
from streaming.providers.redaction import Secret
from streaming.providers.types import ModelInfo, Request, Upstream

ReplyEvent = Delta | Finish


class Adapter(Protocol):
    """A provider of replies."""

    def stream(self, request: Request, key: Secret) -> AsyncGenerator[ReplyEvent, None]:
        """Stream one reply. Raises `errors.ProviderError`; cancelling closes the connection.

        The text of every delta fits any database. It is empty only in a first delta that has the
        checkpoint of the provider's copy.
        """
        ...


class ModelLister(Adapter, Protocol):
    """A provider that lists its models, as every provider of the catalog does."""

    async def list_models(self, key: Secret) -> tuple[ModelInfo, ...]:
        """Only models that this key can use. Raises `errors.ProviderError`."""
        ...


@runtime_checkable
class BackgroundAdapter(Protocol):
    """A provider that keeps a copy of replies that are requested with `background`."""

    async def cancel(self, upstream: Upstream, key: Secret) -> None:
        """Stop a reply at the provider. Raises `errors.ProviderError`."""
        ...
