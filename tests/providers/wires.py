"""Facts about each adapter that the contract's tests need: one row for each wire."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from streaming.providers import errors
from streaming.providers.types import FinishReason, ModelInfo
from tools.fake_provider import ErrorAnswer, Fake

Failure = tuple[ErrorAnswer, type[errors.ProviderError]]


@dataclass(frozen=True)
class Wire:
    """A provider in the contract suite. `finish_reasons`, `cut_off_reasons` and `failures` are in
    the words of the provider.

    `unreadable` are events that cannot be decoded, `refusal_reason` is the finish reason of a
    refusal, `listed_model` a model of the list, `effort_path` the path of the reasoning effort in a
    request, `silence_error` the error of a server that takes a request and is silent. A provider
    with `is_keyless` needs no key.
    """

    name: str
    provider: str
    model: str
    path: str
    finish_reasons: dict[str, FinishReason]
    cut_off_reasons: tuple[str, ...]
    failures: dict[str, Failure]
    listed_model: ModelInfo
    effort_path: tuple[str, ...]
    unreadable: tuple[bytes, ...] = (b"data: {not json\n\n", b"data: \xff\n\n")
    refusal_reason: FinishReason = "refusal"
    silence_error: type[errors.ProviderError] = errors.TimedOut
    is_keyless: bool = False

    def base_url(self, fake: Fake) -> str:
        return fake.url + self.path


def _build_openai_error(
    status: int, code: str | None, kind: str = "invalid_request_error"
) -> ErrorAnswer:
    return ErrorAnswer(status, {"error": _describe_openai_error(code, kind)})


def _describe_openai_error(
    code: str | None, kind: str, message: str = "The model said no."
) -> dict[str, Any]:
    return {"message": message, "type": kind, "param": None, "code": code}


def _build_openai_sentence(message: str) -> ErrorAnswer:
    """A refusal whose meaning is in its sentence alone."""
    error = _describe_openai_error("400", "invalid_request_error", message)
    return ErrorAnswer(400, {"error": error})


def _build_anthropic_error(
    status: int, kind: str, message: str = "No.", **more: Any
) -> ErrorAnswer:
    error = {"type": kind, "message": message, **more}
    return ErrorAnswer(status, {"type": "error", "error": error})


def _build_google_error(status: int, word: str, message: str = "No.", **detail: str) -> ErrorAnswer:
    error = {"code": status, "message": message, "status": word, "details": [detail]}
    return ErrorAnswer(status, {"error": error})


# A proxy in between answers with its own text, or with none.
PROXY_FAILURES: Mapping[str, Failure] = {
    "wrong key, no words": (ErrorAnswer(401, "no"), errors.InvalidKey),
    "forbidden, no words": (ErrorAnswer(403, "no"), errors.NoPermission),
    "rate limited, no words": (ErrorAnswer(429, ""), errors.RateLimited),
    "overloaded proxy": (ErrorAnswer(529, "<html>busy</html>"), errors.Overloaded),
    "bad gateway": (ErrorAnswer(502, "<html>bad gateway</html>"), errors.Overloaded),
    "too large": (ErrorAnswer(413, "too large"), errors.ContextTooLong),
    "unprocessable": (ErrorAnswer(422, {"error": {"message": "no"}}), errors.BadRequest),
    "payment required": (ErrorAnswer(402, {"error": "Pay."}), errors.NoCredit),
    "request timeout": (ErrorAnswer(408, "<html>late</html>"), errors.TimedOut),
    "server error": (ErrorAnswer(500, "oops"), errors.ProviderError),
    "conflict": (ErrorAnswer(409, {"error": {"message": "no"}}), errors.ProviderError),
    "a teapot": (ErrorAnswer(418, "short and stout"), errors.ProviderError),
}

OPENAI: dict[str, Failure] = {
    **PROXY_FAILURES,
    "wrong key": (_build_openai_error(401, "invalid_api_key"), errors.InvalidKey),
    "no permission": (_build_openai_error(403, None, "permission_error"), errors.NoPermission),
    "country": (
        _build_openai_error(403, "unsupported_country_region_territory", "request_forbidden"),
        errors.NoPermission,
    ),
    "no credit": (
        _build_openai_error(429, "insufficient_quota", "insufficient_quota"),
        errors.NoCredit,
    ),
    "rate limited": (_build_openai_error(429, "rate_limit_exceeded", "tokens"), errors.RateLimited),
    "overloaded": (_build_openai_error(503, None, "server_error"), errors.Overloaded),
    "too long": (_build_openai_error(400, "context_length_exceeded"), errors.ContextTooLong),
    "too long, in words only": (
        ErrorAnswer(
            400,
            {
                "error": _describe_openai_error(
                    None, "BadRequestError", "maximum context length is 4096"
                )
            },
        ),
        errors.ContextTooLong,
    ),
    "too long for llama.cpp": (
        _build_openai_error(400, "400", "exceed_context_size_error"),
        errors.ContextTooLong,
    ),
    "too long, in llama.cpp's words": (
        _build_openai_sentence("request (920 tokens) exceeds the available context size (512)"),
        errors.ContextTooLong,
    ),
    "no such model": (_build_openai_error(404, "model_not_found"), errors.ModelNotFound),
    "no such model, in words only": (
        _build_openai_sentence("Invalid model name passed in model=kelp-1. Call `/v1/models`"),
        errors.ModelNotFound,
    ),
    "no such model, in other words": (
        _build_openai_sentence("The model `kelp-1` does not exist."),
        errors.ModelNotFound,
    ),
    "wrong key, in words only": (
        _build_openai_sentence('b\'{"message": "API key not valid. Please pass a valid key."}\''),
        errors.InvalidKey,
    ),
    "wrong key, in other words": (
        _build_openai_sentence("Incorrect API key provided: sk-…"),
        errors.InvalidKey,
    ),
    "unknown key of a proxy without a database": (
        _build_openai_error(400, "400", "no_db_connection"),
        errors.InvalidKey,
    ),
    "bad request": (_build_openai_error(400, "unsupported_value"), errors.BadRequest),
    "policy": (_build_openai_error(400, "content_policy_violation"), errors.ContentRefused),
}

WIRES = [
    Wire(
        name="openai",
        provider="openai",
        model="gpt-6.2-astra",
        path="/v1",
        finish_reasons={
            "stop": "stop",
            "max_output_tokens": "length",
            "content_filter": "content_filter",
        },
        cut_off_reasons=("something_new", "server_shutdown"),  # the event says “incomplete”
        failures=OPENAI,
        listed_model=ModelInfo("gpt-4.1", shutdown=date(2027, 1, 14)),
        effort_path=("reasoning", "effort"),
        silence_error=errors.NoResponse,
    ),
    Wire(
        name="compatible",
        provider="ollama",
        model="llama3.3",
        path="/v1",
        finish_reasons={
            "stop": "stop",
            "length": "length",
            "content_filter": "content_filter",
            "tool_calls": "tool_calls",
            "function_call": "tool_calls",
            "eos_token": "stop",
            "model_length": "length",
            "sensitive": "content_filter",
            "something_new": "other",
            "</s>": "stop",
            "user_stop_sequence": "stop",
            "kv_cache_full": "length",
        },
        cut_off_reasons=("insufficient_system_resource", "abort", "network_error", "worker_died"),
        failures=OPENAI,
        listed_model=ModelInfo("gpt-4.1", shutdown=date(2027, 1, 14)),
        effort_path=("reasoning_effort",),
        silence_error=errors.NoResponse,
        is_keyless=True,
    ),
    Wire(
        name="anthropic",
        provider="anthropic",
        model="claude-opus-5-5",
        path="",
        finish_reasons={
            "end_turn": "stop",
            "stop_sequence": "stop",
            "max_tokens": "length",
            "model_context_window_exceeded": "length",
            "refusal": "refusal",
            "tool_use": "tool_calls",
            "guardrail_intervened": "content_filter",
            "something_new": "other",
        },
        cut_off_reasons=("pause_turn", "error"),
        failures={
            **PROXY_FAILURES,
            "wrong key": (_build_anthropic_error(401, "authentication_error"), errors.InvalidKey),
            "no permission": (_build_anthropic_error(403, "permission_error"), errors.NoPermission),
            "no credit": (_build_anthropic_error(402, "billing_error"), errors.NoCredit),
            "no credit, in words only": (
                _build_anthropic_error(
                    400, "invalid_request_error", "Your credit balance is too low to …"
                ),
                errors.NoCredit,
            ),
            "spend limit": (
                _build_anthropic_error(
                    400, "invalid_request_error", error_code="spend_limit_reached"
                ),
                errors.NoCredit,
            ),
            "rate limited": (_build_anthropic_error(429, "rate_limit_error"), errors.RateLimited),
            "overloaded": (_build_anthropic_error(529, "overloaded_error"), errors.Overloaded),
            "internal": (_build_anthropic_error(500, "api_error"), errors.Overloaded),
            "slow": (_build_anthropic_error(504, "timeout_error"), errors.TimedOut),
            "too long": (
                _build_anthropic_error(
                    400, "invalid_request_error", "prompt is too long: 9 > 8 maximum"
                ),
                errors.ContextTooLong,
            ),
            "request too large": (
                _build_anthropic_error(413, "request_too_large"),
                errors.ContextTooLong,
            ),
            "no such model": (_build_anthropic_error(404, "not_found_error"), errors.ModelNotFound),
            "bad request": (
                _build_anthropic_error(400, "invalid_request_error"),
                errors.BadRequest,
            ),
        },
        unreadable=(
            b"event: content_block_delta\ndata: {not json\n\n",
            b"event: message_delta\ndata: \xff\n\n",
        ),
        listed_model=ModelInfo(
            "claude-sonnet-4-5",
            "Claude Sonnet 4.5",
            context_window=1_000_000,
            max_output=128_000,
            availability="deprecated",
            shutdown=date(2026, 11, 30),
        ),
        effort_path=("output_config", "effort"),
    ),
    Wire(
        name="google",
        provider="google",
        model="gemini-3.8-flash",
        path="/v1beta",
        finish_reasons={
            "STOP": "stop",
            "MAX_TOKENS": "length",
            "CONTINUATION": "length",
            "SAFETY": "content_filter",
            "RECITATION": "content_filter",
            "PROHIBITED_CONTENT": "content_filter",
            "FINISH_REASON_STOP": "stop",
            "UNEXPECTED_TOOL_CALL": "tool_calls",
        },
        cut_off_reasons=("MALFORMED_RESPONSE", "OTHER", "SOMETHING_NEW"),
        failures={
            **PROXY_FAILURES,
            "wrong key": (
                _build_google_error(
                    400, "INVALID_ARGUMENT", "API key not valid.", reason="API_KEY_INVALID"
                ),
                errors.InvalidKey,
            ),
            "no key": (_build_google_error(401, "UNAUTHENTICATED"), errors.InvalidKey),
            "no permission": (_build_google_error(403, "PERMISSION_DENIED"), errors.NoPermission),
            "country": (_build_google_error(400, "FAILED_PRECONDITION"), errors.NoPermission),
            "no credit": (
                _build_google_error(
                    429, "RESOURCE_EXHAUSTED", "Quota exceeded for metric: x, limit: 0"
                ),
                errors.NoCredit,
            ),
            "rate limited": (_build_google_error(429, "RESOURCE_EXHAUSTED"), errors.RateLimited),
            "overloaded": (_build_google_error(503, "UNAVAILABLE"), errors.Overloaded),
            "internal": (_build_google_error(500, "INTERNAL"), errors.Overloaded),
            "slow": (_build_google_error(504, "DEADLINE_EXCEEDED"), errors.TimedOut),
            "too long": (
                _build_google_error(
                    400, "INVALID_ARGUMENT", "The input token count (9) exceeds the maximum"
                ),
                errors.ContextTooLong,
            ),
            "no such model": (_build_google_error(404, "NOT_FOUND"), errors.ModelNotFound),
            "bad request": (_build_google_error(400, "INVALID_ARGUMENT"), errors.BadRequest),
        },
        listed_model=ModelInfo("gemini-2.5-pro", "Gemini 2.5 Pro", 1_048_576, 65_536),
        effort_path=("generationConfig", "thinkingConfig", "thinking_level"),
        refusal_reason="content_filter",
    ),
]
