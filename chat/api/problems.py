"""Errors of the API, as problem details (RFC 9457): each has a code for programs and a sentence for
people that says what to do."""

from __future__ import annotations

import json
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
WORDS_FOR_PROGRAMS = {
    "moved": _("This chat has continued meanwhile. Read it, and send the message again."),
    "nowhere": _("“parentId” must be the id of an answer in this conversation."),
}
"""In place of sentences that are about a page."""
RETRY_AFTER_SECONDS = 60

CODES = {
    400: ("bad_request", _("The server can’t read this request. See docs/api.md.")),
    403: ("forbidden", _("You may not do this.")),
    404: ("not_found", _("There is no such thing, or it is not yours.")),
    405: ("bad_method", _("This address does not take this method. See docs/api.md.")),
    408: ("too_slow", _("The request took too long to arrive. Try again.")),
    413: ("too_large", _("This is too long for one request. Send less text.")),
    429: ("too_many", _("That was too often. Try again in a moment.")),
    503: ("unavailable", _("The server is busy. Try again in a moment.")),
}
SERVER_ERROR = ("server_error", _("Something went wrong here. Try again in a moment."))


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


def build_invalid(errors: Sequence[Mapping[str, str]]) -> Problem:
    """Names the fields, and never quotes their values."""
    detail = _("A field is missing or has a wrong value.")
    return Problem(422, "invalid", detail, errors=errors)


def from_rejection(rejection: ReplyRejected) -> Problem:
    status = STATUS_BY_REJECTION.get(rejection.code, 422)
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == 429 else {}
    detail = WORDS_FOR_PROGRAMS.get(rejection.code, rejection.message)
    return Problem(status, rejection.code, detail, headers=headers)


def build_problem_of_status(status: int) -> Problem:
    """An error that was made outside of any view, such as a full queue."""
    return Problem(status, *CODES.get(status, SERVER_ERROR))


def encode_problem(status: int) -> tuple[bytes, str]:
    """The body and its content type."""
    body = json.dumps(build_problem_of_status(status).to_body())
    return body.encode(), CONTENT_TYPE
