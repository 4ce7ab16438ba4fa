"""The JSON API: its routers, its errors, and its OpenAPI document at `/api/openapi.json`."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja.errors import HttpError, ValidationError

from chat.api import catalog, conversations, messages, streams
from chat.api.document import DocumentedAPI
from chat.api.problems import NOT_FOUND, Problem, from_rejection
from chat.replies import ReplyRejected

api = DocumentedAPI(
    title="Holdfast",
    version="1",
    docs_url=None,  # its pages would load scripts from elsewhere
    openapi_url="/openapi.json",
    urls_namespace="api",
)
api.add_router("/conversations", conversations.router)
api.add_router("/messages", messages.router)
api.add_router("/streams", streams.router)
api.add_router("", catalog.router)


@api.exception_handler(Problem)
def answer_problem(request: HttpRequest, problem: Problem) -> HttpResponse:
    return problem.to_response()


@api.exception_handler(ReplyRejected)
def answer_rejection(request: HttpRequest, rejection: ReplyRejected) -> HttpResponse:
    return from_rejection(rejection).to_response()


@api.exception_handler(Http404)
def answer_not_found(request: HttpRequest, error: Http404) -> HttpResponse:
    return NOT_FOUND.to_response()


@api.exception_handler(ValidationError)
def answer_invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """Name the fields, and never quote their values."""
    errors = [
        {"field": ".".join(str(part) for part in one["loc"][1:]), "message": str(one["msg"])}
        for one in error.errors
    ]
    detail = _("A field is missing or has a wrong value.")
    return Problem(422, "invalid", detail, errors=errors).to_response()


@api.exception_handler(HttpError)
def answer_http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    """Such as a body that is not JSON."""
    return Problem(error.status_code, "bad_request", str(error)).to_response()
