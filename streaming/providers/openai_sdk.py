"""What OpenAI's two APIs share: the SDK's client, its errors, its list of models."""

import functools
import re
from datetime import date
from typing import Any

import httpx2
import openai
from openai._models import construct_type
from openai.types.responses import ResponseStreamEvent

from .base import ListedModel, Timeouts
from .exchange import Answer, Remote, hush, retry_after

OFFICIAL_URL = "https://api.openai.com/v1"

_PART = {"type": "output_text", "text": "", "annotations": []}
_ITEM = {"type": "message", "id": "none", "content": [_PART]}
_RESPONSE = {"id": "none", "output": [_ITEM], "tools": [], "usage": {}}
FIRST_EVENTS: tuple[dict[str, Any], ...] = (
    {"type": "response.created", "response": _RESPONSE},
    {"type": "response.output_item.added", "output_index": 0, "item": _ITEM},
    {"type": "response.content_part.added", "output_index": 0, "part": _PART},
    {"type": "response.completed", "response": _RESPONSE},
)


class OverOpenAI(Remote):
    """An adapter over OpenAI's SDK; without `base_url` it speaks to OpenAI itself."""

    provider = "OpenAI"

    def __init__(
        self, *, base_url: str = "", timeouts: Timeouts | None = None, name: str = ""
    ) -> None:
        base_url = base_url or OFFICIAL_URL
        self.official = httpx2.URL(base_url).host == httpx2.URL(OFFICIAL_URL).host
        elsewhere = "" if self.official else "the provider"
        super().__init__(base_url=base_url, timeouts=timeouts, name=name or elsewhere)
        hush("openai")
        load()

    def client(self, key: str, http: httpx2.AsyncClient) -> openai.AsyncOpenAI:
        """A client for one exchange, made in 0.3 ms."""
        client = openai.AsyncOpenAI(
            api_key=key,
            base_url=self.base_url,
            max_retries=0,
            timeout=http.timeout,
            http_client=http,
        )
        # The SDK takes these from the server's environment; they don't belong to this key.
        client.organization = client.project = None
        client._custom_headers = {}
        return client

    def answered(self, error: Exception) -> Answer | None:
        """An error that the provider sent, with a status or as an event in the stream."""
        if not isinstance(error, openai.APIError) or isinstance(error, openai.APIConnectionError):
            return None
        response = error.response if isinstance(error, openai.APIStatusError) else None
        headers = response.headers if response else httpx2.Headers()
        code = str(error.code or "")
        named = int(code) if re.fullmatch(r"\d{3}", code) else 0
        return Answer(
            status=response.status_code if response else named,
            words=f"{code} {error.type or ''}",
            message=_said(error),
            param=str(error.param or ""),
            request_id=headers.get("x-request-id", ""),
            retry_after=retry_after(headers),
        )

    async def listed(self, client: Any) -> list[ListedModel]:
        """The list. OpenAI tells no windows, and of a lifecycle only its end."""
        return [_listed(model) async for model in client.models.list()]


@functools.cache
def load() -> None:
    """Once in a process, and in a thread: the SDK loads its parts on first use, and builds what
    it knows of events when the first ones come. That takes 0.7 s of CPU, which would stop the
    loop, and with it every other stream and the worker's lease."""
    sdk = openai.AsyncOpenAI(api_key="none")
    _ = sdk.chat.completions, sdk.responses, sdk.models
    for event in FIRST_EVENTS:
        construct_type(type_=ResponseStreamEvent, value=event)


def _said(error: openai.APIError) -> str:
    """The provider's words; the SDK leaves out those that are not where OpenAI puts them."""
    told = isinstance(error.body, dict) and "message" in error.body
    return error.message if told or not error.body else f"{error.message}: {error.body}"


def _listed(model: Any) -> ListedModel:
    shutdown = getattr(model, "shutdown_date", None)
    return ListedModel(model.id, shutdown=date.fromisoformat(shutdown[:10]) if shutdown else None)
