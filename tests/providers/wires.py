"""What the contract's cases need to know about each adapter: one row for each wire."""

from dataclasses import dataclass
from typing import Any

from streaming.providers import errors
from streaming.providers.base import Reason
from tests.fakes import ErrorAnswer, Fake


@dataclass(frozen=True)
class Wire:
    """A provider in the contract suite. `finishes` and `failures` are in the provider's words."""

    provider: str
    model: str
    path: str
    finishes: dict[str, Reason]
    failures: dict[str, tuple[ErrorAnswer, type[errors.ProviderError]]]

    def base_url(self, fake: Fake) -> str:
        return fake.url + self.path


def _openai(status: int, code: str | None, kind: str = "invalid_request_error") -> ErrorAnswer:
    return ErrorAnswer(status, {"error": _said(code, kind)})


def _said(code: str | None, kind: str, message: str = "The model said no.") -> dict[str, Any]:
    return {"message": message, "type": kind, "param": None, "code": code}


WIRES = [
    Wire(
        provider="openai",
        model="gpt-4o",
        path="/v1",
        finishes={
            "stop": "stop",
            "length": "length",
            "content_filter": "content_filter",
            "tool_calls": "tool_calls",
            "function_call": "tool_calls",
            "something_new": "other",
        },
        failures={
            "wrong key": (_openai(401, "invalid_api_key"), errors.InvalidKey),
            "wrong key, no words": (ErrorAnswer(401, "no"), errors.InvalidKey),
            "no permission": (_openai(403, None, "permission_error"), errors.NoPermission),
            "country": (
                _openai(403, "unsupported_country_region_territory", "request_forbidden"),
                errors.NoPermission,
            ),
            "no credit": (
                _openai(429, "insufficient_quota", "insufficient_quota"),
                errors.NoCredit,
            ),
            "payment required": (ErrorAnswer(402, {"error": "Pay."}), errors.NoCredit),
            "rate limited": (_openai(429, "rate_limit_exceeded", "tokens"), errors.RateLimited),
            "rate limited, no words": (ErrorAnswer(429, ""), errors.RateLimited),
            "overloaded": (_openai(503, None, "server_error"), errors.Overloaded),
            "overloaded proxy": (ErrorAnswer(529, "<html>busy</html>"), errors.Overloaded),
            "bad gateway": (ErrorAnswer(502, "<html>bad gateway</html>"), errors.Overloaded),
            "too long": (_openai(400, "context_length_exceeded"), errors.ContextTooLong),
            "too long, in words only": (
                ErrorAnswer(
                    400,
                    {"error": _said(None, "BadRequestError", "maximum context length is 4096")},
                ),
                errors.ContextTooLong,
            ),
            "too large": (ErrorAnswer(413, "too large"), errors.ContextTooLong),
            "no such model": (_openai(404, "model_not_found"), errors.ModelNotFound),
            "bad request": (_openai(400, "unsupported_value"), errors.BadRequest),
            "unprocessable": (ErrorAnswer(422, {"error": {"message": "no"}}), errors.BadRequest),
            "policy": (_openai(400, "content_policy_violation"), errors.Refused),
            "request timeout": (ErrorAnswer(408, "late"), errors.TimedOut),
            "server error": (ErrorAnswer(500, "oops"), errors.ProviderError),
            "conflict": (ErrorAnswer(409, {"error": {"message": "no"}}), errors.ProviderError),
            "a teapot": (ErrorAnswer(418, "short and stout"), errors.ProviderError),
        },
    ),
]
