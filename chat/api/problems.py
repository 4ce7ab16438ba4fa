"""Errors of the API, as problem details (RFC 9457): each has a code for programs and a sentence for
people that says what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.http import HttpResponse, JsonResponse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from chat.replies import ReplyRejected

CONTENT_TYPE = "application/problem+json"
STATUS_BY_REJECTION = {
    "deleted": 404,
    "moved": 409,
    "nowhere": 409,
    "not_cut": 409,
    "too_much": 429,
}
"""Other rejections are about the values of the request: 422."""
RETRY_AFTER_SECONDS = 60


class Problem(Exception):
    """An answer that is no success. `errors` names the fields at fault. Raise a new one each time:
    an exception keeps the frames and requests of all the times that it was raised."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str | Promise,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.errors, self.headers = errors, dict(headers or {})

    def to_body(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": str(self.detail),
        }
        return body | ({"errors": list(self.errors)} if self.errors else {})

    def to_response(self) -> HttpResponse:
        return JsonResponse(
            self.to_body(), status=self.status, content_type=CONTENT_TYPE, headers=self.headers
        )


def build_not_found() -> Problem:
    """The same for the things of another person."""
    return Problem(404, "not_found", _("There is no such thing, or it is not yours."))


def from_rejection(rejection: ReplyRejected) -> Problem:
    status = STATUS_BY_REJECTION.get(rejection.code, 422)
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == 429 else {}
    return Problem(status, rejection.code, rejection.message, headers=headers)
