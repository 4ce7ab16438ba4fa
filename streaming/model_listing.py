"""A short question to a provider from synchronous code: which models does it serve to this key?

The answer also tells whether the key works. The question is asked on a loop in a thread of its
own, and whoever asks waits for it no longer than he says: not for a name server that hangs either,
whose thread is left to itself.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from threading import Thread

from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from streaming.providers import catalog
from streaming.providers.base import ModelInfo, get_adapter, list_models
from streaming.providers.errors import ProviderError, TimedOut

KEY_CHECK_TIMEOUT = 5.0
GRACE_SECONDS = 0.5
"""Seconds for an answer in time to find its way here."""


def get_base_url(provider: str) -> str:
    """Where a provider is asked; empty for its own address."""
    configured = {
        "openai": settings.OPENAI_BASE_URL,
        "anthropic": settings.ANTHROPIC_BASE_URL,
        "google": settings.GOOGLE_GEMINI_BASE_URL,
    }
    return configured.get(provider) or catalog.PROVIDERS[provider].base_url


@sensitive_variables("key")
def list_models_blocking(
    provider: str, key: str, *, seconds: float = KEY_CHECK_TIMEOUT
) -> tuple[ModelInfo, ...]:
    """The models the provider lists for this key. Raises ProviderError, TimedOut in particular
    when there is no answer within so many seconds."""
    url = get_base_url(provider)
    get_adapter(provider, base_url=url)  # loads the SDK, which is nothing to blame the provider for
    answer: Future[tuple[ModelInfo, ...]] = Future()
    asking = Thread(target=_list_in_thread, args=(answer, provider, key, url, seconds), daemon=True)
    asking.start()
    try:
        return answer.result(seconds + GRACE_SECONDS)
    except TimeoutError:
        pass
    raise TimedOut(provider=catalog.PROVIDERS[provider].name)


@sensitive_variables("key")
def _list_in_thread(
    answer: Future[tuple[ModelInfo, ...]], provider: str, key: str, url: str, seconds: float
) -> None:
    loop = asyncio.new_event_loop()
    try:
        listing = asyncio.wait_for(list_models(provider, key, base_url=url), seconds)
        answer.set_result(loop.run_until_complete(listing))
    except (ProviderError, TimeoutError) as error:
        answer.set_exception(error.with_traceback(None))
    except Exception as error:
        # Not the error itself: nobody knows what it holds.
        answer.set_exception(ProviderError(detail=type(error).__name__))
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
