"""A provider's list of models, for synchronous code. The call also shows whether a key is valid."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from threading import Thread

from streaming.providers import catalog
from streaming.providers.adapter import ModelLister
from streaming.providers.errors import ProviderError, TimedOut
from streaming.providers.redaction import Secret
from streaming.providers.registry import get_adapter
from streaming.providers.types import ModelInfo

LIST_TIMEOUT_SECONDS = 5.0
GRACE_SECONDS = 0.5
"""How long the thread's answer may take to arrive here."""


def list_models_blocking(
    provider: str, key: Secret, *, base_url: str = "", seconds: float = LIST_TIMEOUT_SECONDS
) -> tuple[ModelInfo, ...]:
    """The models that the provider lists for this key, in its own order.

    Runs on an event loop of its own in a daemon thread and gives up after `seconds`, even if DNS
    hangs; that thread is then abandoned. Raises ProviderError, TimedOut in particular.
    """
    adapter = _load_adapter(provider, base_url)  # loads the SDK, which takes its own time
    answer: Future[tuple[ModelInfo, ...]] = Future()
    Thread(target=_list_in_thread, args=(answer, adapter, key, seconds), daemon=True).start()
    try:
        return answer.result(seconds + GRACE_SECONDS)
    except TimeoutError:
        pass
    raise TimedOut(provider=catalog.PROVIDERS[provider].name)


def _load_adapter(provider: str, base_url: str) -> ModelLister:
    """Raises ProviderError for a row of the configuration that no adapter can use."""
    try:
        return get_adapter(provider, base_url=base_url)
    except ProviderError:
        raise
    except Exception as error:
        failure = ProviderError(detail=type(error).__name__)
    raise failure


def _list_in_thread(
    answer: Future[tuple[ModelInfo, ...]], adapter: ModelLister, key: Secret, seconds: float
) -> None:
    loop = asyncio.new_event_loop()
    try:
        listing = asyncio.wait_for(adapter.list_models(key), seconds)
        answer.set_result(loop.run_until_complete(listing))
    except (ProviderError, TimeoutError) as error:
        answer.set_exception(error.with_traceback(None))
    except Exception as error:
        # The error itself may hold the key.
        answer.set_exception(ProviderError(detail=type(error).__name__))
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
