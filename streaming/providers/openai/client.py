"""Code that OpenAI's two APIs share: the SDK's client, its errors, its list of models."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

import httpx2
import openai

from streaming.providers.http.adapter import HttpAdapter
from streaming.providers.http.classify import parse_retry_after
from streaming.providers.http.client import silence_wire_logging
from streaming.providers.http.error_body import read_error_body, read_response
from streaming.providers.http.model_list import fetch_model_list
from streaming.providers.http.parse import has_value, to_count, to_dict, to_dicts, to_str
from streaming.providers.http.parsed import ErrorResponse
from streaming.providers.redaction import Secret
from streaming.providers.types import ModelInfo, Timeouts

SUCCESS_CODES = {"0", "200", "ok", "success"}
OFFICIAL_URL = "https://api.openai.com/v1"


class OpenAISdkAdapter(HttpAdapter):
    """An adapter over OpenAI's SDK. Without `base_url` it calls OpenAI itself."""

    default_name = "OpenAI"

    def __init__(
        self, *, base_url: str = "", timeouts: Timeouts | None = None, name: str = ""
    ) -> None:
        base_url = base_url or OFFICIAL_URL
        self.is_official = httpx2.URL(base_url).host == httpx2.URL(OFFICIAL_URL).host
        self.retries_silence = self.is_official
        elsewhere = "" if self.is_official else "the provider"
        super().__init__(base_url=base_url, timeouts=timeouts, name=name or elsewhere)
        silence_wire_logging("openai")
        preload_sdk()

    def create_client(self, key: Secret, http: httpx2.AsyncClient) -> openai.AsyncOpenAI:
        """A client for one call, made in 0.3 ms."""
        client = openai.AsyncOpenAI(
            api_key=key.reveal(),
            base_url=self.base_url,
            max_retries=0,
            timeout=http.timeout,
            http_client=http,
        )
        # The SDK takes these from the server's environment; they don't belong to this key.
        client.organization = client.project = None
        client._custom_headers = {}
        return client

    def error_response(self, error: Exception) -> ErrorResponse | None:
        if not isinstance(error, openai.APIError) or isinstance(error, openai.APIConnectionError):
            return None
        response = error.response if isinstance(error, openai.APIStatusError) else None
        if response is None:
            return parse_error(error.body or {"message": error.message})
        # The SDK's own body is only the “error” of it, where there is one.
        return parse_error(read_response(response), response.status_code, response.headers)

    async def fetch_models(self, client: Any) -> list[ModelInfo]:
        """The SDK would read only OpenAI's own shape of a list."""

        async def fetch_page(parameters: dict[str, str]) -> bytes:
            options = {"params": parameters, "security": {"bearer_auth": True}}
            body: bytes = await client.get("/models", cast_to=bytes, options=options)
            return body

        return await fetch_model_list(fetch_page, "after")


@functools.cache
def preload_sdk() -> None:
    """Call this once in a process, in a thread. The SDK loads its parts on first use, which would
    stop the loop, and with it every other stream and the worker's lease."""
    sdk = openai.AsyncOpenAI(api_key="none")
    _ = sdk.chat.completions, sdk.responses, sdk.models


def parse_error(
    error: Any, status: int = 0, headers: Mapping[str, str] | None = None
) -> ErrorResponse:
    """`error` is the body of an error response, or that of an error event in a stream."""
    words = read_error_body(error)
    inner = error.get("error") if isinstance(error, dict) else None
    known = inner if isinstance(inner, dict) else error if isinstance(error, dict) else {}
    code = str(known.get("code") or "")
    status_in_code = int(code) if re.fullmatch(r"\d{3}", code) else 0
    return ErrorResponse(
        status=status or status_in_code,
        codes=" ".join(words.codes),
        message=words.message,
        is_page=words.is_page,
        param=words.param,
        request_id=(headers or {}).get("x-request-id", ""),
        retry_after=parse_retry_after(headers or {}),
    )


def find_error(event: dict[str, Any]) -> Any:
    """Servers have several forms for it. An error without any word in it is none."""
    if (error := event.get("error")) and has_value(error) and not _says_success(error):
        return error
    base = to_dict(event.get("base_resp"))  # MiniMax's
    if to_count(base.get("status_code")):
        return base
    if event.get("object") == "error" or event.get("type") == "error":
        return event
    if "choices" not in event:
        return event if _is_bare_error(event) else None
    choices = to_dicts(event["choices"])
    return next((error for c in choices if has_value(error := c.get("error"))), None)


def _says_success(error: Any) -> bool:
    """Some servers put a field for errors into every event."""
    known = to_dict(error)
    return str(known.get("code", "")).lower() in SUCCESS_CODES and (
        to_str(known.get("message")).lower() in {"", *SUCCESS_CODES}
    )


def _is_bare_error(event: dict[str, Any]) -> bool:
    """Some servers answer with an error of their framework, under a status of success."""
    if event.get("detail") or event.get("errors") or event.get("success") is False:
        return True
    code = event.get("code") or event.get("error_code")
    has_code = bool(code) and str(code).lower() not in SUCCESS_CODES
    status = to_count(event.get("status")) or 0
    has_words = any(to_str(event.get(name)) for name in ("message", "msg", "error_msg"))
    return has_words and (has_code or status >= 400)
