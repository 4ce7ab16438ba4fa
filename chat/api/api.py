"""The JSON API: its routers, its errors, and its OpenAPI document at `/api/openapi.json`."""

from __future__ import annotations

from django.core.exceptions import ObjectDoesNotExist
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja.errors import HttpError, ValidationError

from chat.api import catalog, conversations, messages, streams, webhooks
from chat.api.asyncapi import serve_document
from chat.api.document import DocumentedAPI
from chat.api.problems import Problem, build_invalid, build_not_found, from_rejection
from chat.replies import ReplyRejected
from streaming.access import StreamNotFound

MAX_SHOWN_ERRORS = 20
MAX_FIELD_CHARS = 200

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
api.add_router("/webhooks", webhooks.router)
api.add_router("", catalog.router)
api.get("/asyncapi.json", url_name="asyncapi-json", include_in_schema=False)(serve_document)


@api.exception_handler(Problem)
def answer_problem(request: HttpRequest, problem: Problem) -> HttpResponse:
    return problem.to_response()


@api.exception_handler(ReplyRejected)
def answer_rejection(request: HttpRequest, rejection: ReplyRejected) -> HttpResponse:
    return from_rejection(rejection).to_response()


@api.exception_handler(Http404)
@api.exception_handler(ObjectDoesNotExist)
@api.exception_handler(StreamNotFound)
def answer_not_found(request: HttpRequest, error: Exception) -> HttpResponse:
    """The last two mean that something was deleted meanwhile."""
    return build_not_found().to_response()


@api.exception_handler(ValidationError)
def answer_invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """Name the fields, and never quote their values."""
    errors = [
        {"field": _describe_place(one["loc"]), "message": str(one["msg"])}
        for one in error.errors[:MAX_SHOWN_ERRORS]
    ]
    problem = build_invalid(errors)
    if [one["field"] for one in errors] == ["after"]:
        problem.code = "bad_cursor"
    return problem.to_response()


def _describe_place(place: tuple[str | int, ...]) -> str:
    """Without “body” or “query”, and without the name of our own argument for the body."""
    skipped = 2 if place[:2] == ("body", "body") else 1
    return ".".join(str(part) for part in place[skipped:])[:MAX_FIELD_CHARS] or "body"


@api.exception_handler(HttpError)
def answer_http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    """Such as a body that is not JSON."""
    return Problem(error.status_code, "bad_request", _("The body is not JSON.")).to_response()
